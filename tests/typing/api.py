"""The public interface as a user meets it: checked by mypy, never run."""

from __future__ import annotations
