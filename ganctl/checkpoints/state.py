"""The state of a game as one list of named tensors: what its members save, and take back."""

from collections.abc import Mapping

from torch import Tensor

from ganctl.errors import CheckpointError
from ganctl.game.step import Game


def tensors(game: Game) -> dict[str, Tensor]:
    """Return the tensors of all members by name; nothing in them follows from config and step.

    Raises `ConfigError` for a network of which a weight takes no part in any update.
    """
    return {
        f"{prefix}.{name}": tensor
        for prefix, member in game.members.items()
        for name, tensor in member.state().items()
    }


def copied(game: Game) -> dict[str, Tensor]:
    """Return a copy of the state in the CPU's memory, which further steps do not change."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors(game).items()}


def check(game: Game, state: Mapping[str, Tensor], steps: int) -> None:
    """Check the numbers of a state saved after `steps` steps; names, shapes and types have been checked before.

    Raises `CheckpointError` naming the first tensor that no training could have produced.
    """
    rest = dict(state)
    for prefix, member in game.members.items():
        for fault in member.faults(_take(rest, prefix), steps):
            raise CheckpointError(f"{prefix}.{fault}")


def restore(game: Game, state: Mapping[str, Tensor]) -> None:
    """Put a saved state into a freshly built game.

    Raises `CheckpointError` if a tensor is missing, left over, or of another shape.
    """
    rest = dict(state)
    try:
        for prefix, member in game.members.items():
            member.load(_take(rest, prefix))
    except (RuntimeError, KeyError, ValueError) as error:
        raise CheckpointError(f"the checkpoint's tensors do not fit the model ({error})") from error
    if rest:
        raise CheckpointError(f"the checkpoint holds tensors that the model does not know, such as {min(rest)}")


def _take(rest: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Take a member's tensors out of `rest`."""
    names = [name for name in rest if name.startswith(f"{prefix}.")]
    return {name.removeprefix(f"{prefix}."): rest.pop(name) for name in names}
