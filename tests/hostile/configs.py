"""Hostile values of a config, in a checkpoint's header or in a run folder's config.yaml."""

from typing import Any


def nested(depth: int) -> Any:
    """Return mappings within each other."""
    tree: Any = 1
    for _ in range(depth):
        tree = {"a": tree}
    return tree


HOSTILE_VALUES: list[tuple[str, Any]] = [
    ("_target_", "os.system"),
    ("model._target_", "os.system"),
    ("model.generator._target_", "torch.load"),
    ("model._args_", ["touch pwned"]),
    ("penalty._target_", "os.system"),
    ("penalty.r1._target_", "builtins.eval"),
    ("auxiliary._target_", {"name": "feature_matching", "weight": 1.0, "every": 1}),
    ("penalty.a b", {"name": "r1", "weight": 1.0, "every": 1}),
    ("penalty.\x1b[2J", {"name": "r1", "weight": 1.0, "every": 1}),
    ("hydra", {"job_logging": "os.system"}),
    ("defaults", ["/etc/passwd"]),
    ("plugins", ["os"]),
    ("plugins", []),
    ("name", "../../../tmp/run"),
    ("name", "/etc"),
    ("name", "${oc.env:HOME}"),
    ("model.name", "os.system"),
    ("model.name", "builtins.exec"),
    ("model.name", "../../model"),
    ("model.name", "\x1b]0;owned\x07\n\nganctl: all is well"),
    ("model.name", "m" * 1_000_000),
    ("loss.name", "os.system"),
    ("loss.name", "${oc.decode:evil}"),
    ("data.name", "subprocess.Popen"),
    ("data.name", "${oc.env:HOME}"),
    ("optimizer.name", "torch.hub.load"),
    ("penalty.r1.name", "os.system"),
    ("device.name", "$(touch pwned)"),
    ("device.precision", "${oc.env:PATH}"),
    ("device.threads", 10**6),
    ("seed", 1 << 70),
    ("seed", -1),
    ("seed", "0"),
    ("seed", True),
    ("train.steps", 10**30),
    ("train.steps", 1.5),
    ("data.num", 10**12),
    ("model.latent", 10**12),
    ("model.latent", 10**18),
    ("model.generator.hidden", [10**6, 10**6]),
    ("model.generator.hidden", [4 * 10**9, 4 * 10**9]),
    ("model.generator.hidden", [9 * 10**18, 9 * 10**18]),
    ("model.discriminator.hidden", [10**6, 10**6]),
    ("model.generator.hidden", [1] * 10**6),
    ("model.generator.hidden", [1] * 15_000),
    ("model.generator.hidden", [[4]]),
    ("model.generator.hidden", {"0": 4}),
    ("model.generator.hidden", [-4]),
    ("model.generator", nested(11)),
    ("model.generator", nested(300)),
    ("model", {str(number): number for number in range(30_000)}),
    ("model", None),
    ("model", "mlp"),
    ("model", []),
    ("loss", {}),
    ("loss.pack", 10**12),
    ("more", 1),
    ("m" * 1_000_000, 1),
    ("\x1b[31mred", 1),
]
"""Dotted keys and what they are set to."""

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + level)}: &{chr(98 + level)} [{', '.join(['*' + chr(97 + level)] * 9)}]\n" for level in range(9)
)

HOSTILE_YAML: dict[str, bytes] = {
    "empty": b"",
    "null": b"null\n",
    "a list": b"- model\n",
    "a text": b"os.system\n",
    "a billion laughs": BOMB.encode(),
    "an alias": b"model: &m {name: mlp}\nloss: *m\n",
    "an alias to itself": b"model: &m [*m]\n",
    "a call": b"model: !!python/object/apply:os.system ['touch pwned']\n",
    "a class": b"model: !!python/name:os.system\n",
    "a module": b"!!python/module:os\n",
    "a tag of its own": b"model: !evil {name: mlp}\n",
    "bytes": b"model: !!binary AAAA\n",
    "a set": b"model: !!set {a, b}\n",
    "a date": b"seed: 2001-01-01\n",
    "not a number": b"seed: .nan\n",
    "two documents": b"seed: 0\n---\nseed: 1\n",
    "lists nested too deep": b"model: " + b"[" * 20_000,
    "mappings nested too deep": b"{a: " * 10_000,
    "blocks nested too deep": "".join(f"{' ' * level}a:\n" for level in range(300)).encode(),
    "not UTF-8": b"model: \xff\xfe\n",
    "control characters": b"model: \x1b[2J\x00\n",
    "a key that is no text": b"1: 2\n[1, 2]: 3\n",
    "20 MB": b"model: " + b"m" * 20_000_000,
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
}
"""What config.yaml may hold instead of a config."""
