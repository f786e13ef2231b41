"""Real samples: where they come from, how they are kept, and which of them a step sees."""

from ganctl.data.sources import SOURCES, Source
from ganctl.data.store import Store

__all__ = ["SOURCES", "Source", "Store"]
