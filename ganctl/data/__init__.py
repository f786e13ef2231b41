"""Real samples: where they come from, how they are stored, and which of them a step sees.

Nothing is imported here, so that processes that only decode images start without torch.
"""
