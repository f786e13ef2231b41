from ganctl.cli import entry_point

entry_point()
