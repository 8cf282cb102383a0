"""A trading bot made of tradekit's six rooms, and the command that runs it."""
