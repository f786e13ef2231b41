"""What the commands that read run folders are told: names of runs, and flags."""

from collections.abc import Sequence

from ganctl.errors import CheckpointError, ConfigError, nearest
from ganctl.folders.find import find_run
from ganctl.folders.records import RunRecord, is_run


def asked(words: Sequence[str], flags: Sequence[str]) -> tuple[list[str], set[str]]:
    """Return the runs or folders that words name, with or without `ckpt=`, and the flags among them.

    Raises `ConfigError` for an unknown flag, and for one that is typed as a key.
    """
    names, given = [], set()
    for word in words:
        key, equals, _ = word.partition("=")
        if equals and f"--{key.lstrip('-')}" in flags:
            raise ConfigError(f"{word}: here it is --{key.lstrip('-')}, without a value")
        if word.startswith("-"):
            if word not in flags:
                raise ConfigError(
                    f"{word}: unknown option{nearest(word, flags)}; there are {', '.join([*flags, '--help'])}"
                )
            given.add(word)
        else:
            names.append(word.removeprefix("ckpt="))
    return names, given


def record_of(word: str) -> RunRecord:
    """Return the record of the run that a word names.

    Raises `CheckpointError` if there is none, or if it is a file.
    """
    path = find_run(word)
    if not path.is_dir():
        raise CheckpointError(f"{word}: a file, and not the folder of a run")
    if not is_run(path):
        raise CheckpointError(f"{word}: no run folder (it has no config.yaml)")
    return RunRecord(path)
