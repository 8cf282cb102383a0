"""A first look: four detectors over a market, and what became of what they said."""
