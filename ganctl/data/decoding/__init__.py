"""From the files of a data set to pixels. Needs no torch, so that processes that decode start without it."""
