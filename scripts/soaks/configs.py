"""What the soak kills: small runs chosen by hand, or the pairwise matrix of the registries."""

from ganctl import rules
from ganctl.config import train_config
from ganctl.errors import ConfigError
from scripts.soaks.parts import DATA, OF_ONE_MODEL, OF_SEQUENCES, SEQUENCES, pairwise, words_of
from scripts.tables.runs import composed

SMALL = {
    "conv1d": (
        "model.generator.width=4",
        "model.discriminator.width=4",
        "model.latent=8",
        "data.length=16",
        "train.batch_size=4",
    ),
    "biggan": (
        "model.generator.width=1",
        "model.discriminator.width=2",
        "model.latent=8",
        "model.embedding=4",
        "data.resolution=32",
        "train.batch_size=4",
    ),
    "dcgan": (
        "model.generator.width=4",
        "model.discriminator.width=4",
        "model.latent=8",
        "data.resolution=8",
        "train.batch_size=4",
    ),
    "fastgan": (
        "model.generator.width=2",
        "model.discriminator.width=2",
        "model.latent=8",
        "model.embedding=4",
        "data.resolution=32",
        "train.batch_size=4",
    ),
    "mlp": (
        "model.generator.hidden=[8,8]",
        "model.discriminator.hidden=[8,8]",
        "model.latent=4",
        "train.batch_size=8",
    ),
    "r3gan": (
        "model.generator.widths=[8]",
        "model.discriminator.widths=[8]",
        "model.latent=8",
        "data.resolution=8",
        "train.batch_size=4",
    ),
    "resnet": (
        "model.generator.width=4",
        "model.generator.max_width=8",
        "model.discriminator.width=4",
        "model.discriminator.max_width=8",
        "model.latent=8",
        "data.resolution=8",
        "train.batch_size=4",
    ),
    "stylegan2": (
        "model.generator={width: 2, max_width: 4, style: 4}",
        "model.discriminator={width: 2, max_width: 4, mapping: 2}",
        "model.latent=4",
        "data.resolution=8",
        "train.batch_size=4",
    ),
}
SMALL["unet"] = SMALL["biggan"]

OF_ANY_MODEL = ("data.resolution=8", "train.batch_size=4")
"""For a model that says nothing above."""

SMALL_OPTIONS = {
    "auxiliary=[perceptual]": (
        "auxiliary.perceptual.network=squeezenet1_1",
        "auxiliary.perceptual.layers=[features.3]",
    ),
    "auxiliary=[class_loss]": ("model.conditional=true", "model.discriminator.condition=classifier"),
    "auxiliary=[reconstruction]": ("model.discriminator.decoders=true",),
    "auxiliary=[lecam]": ("auxiliary.lecam.start=2",),
    "auxiliary=[code_loss]": ("model.categorical_codes=[3]", "model.continuous_codes=2"),
}
"""What makes an option small, or possible."""


def small_words(*overrides: str, model: str = "dcgan", data: str = "digits") -> list[str]:
    """Return the words of a small model, fp32 and without penalties unless an override says otherwise.

    A model of sequences gets those of `SEQUENCES`, and no word about other data.
    """
    model = next((OF_ONE_MODEL[option] for option in overrides if option in OF_ONE_MODEL), model)
    if model in OF_SEQUENCES and data != SEQUENCES:
        data, overrides = SEQUENCES, tuple(word for word in overrides if not word.startswith("data."))
    sizes = SMALL.get(model, OF_ANY_MODEL)
    small = [word for word in sizes if data in ("digits", SEQUENCES) or not word.startswith("data.")]
    few = ["data.num=64"] if data in ("ring", SEQUENCES) else []
    chosen = any(word.startswith(("penalty=", "loss=wgan")) for word in overrides)
    plain = [] if chosen else ["penalty=[]"]
    precise = [] if any(word.startswith("device.precision=") for word in overrides) else ["device.precision=fp32"]
    return [
        *plain,
        f"model={model}",
        f"data={data}",
        "device=cpu",
        *precise,
        *small,
        *few,
        *(word for option in overrides for word in SMALL_OPTIONS.get(option, ())),
        *overrides,
    ]


EVERY_RUN = [
    "train.steps=60",
    "logging.every=1",
    "sample.every=12",
    "sample.num=4",
    "device.threads=1",
    "name=run",
]
EVERY_FIFTH = ["checkpoint.every=5"]
CONFIGS = {
    "digits fp32 r1 dropout": [
        *small_words("penalty=[r1]", "penalty.r1.every=4", "model.discriminator.dropout=0.2"),
        *EVERY_FIFTH,
    ],
    "folder bf16 feature_matching": [
        *small_words(
            *DATA["folder"].split()[1:],
            "device.precision=bf16",
            "auxiliary=[feature_matching]",
            "model.generator.norm=batch",
            data="folder",
        ),
        *EVERY_FIFTH,
    ],
    "ring fp64 wgan_gp rmsprop": [
        *small_words(
            "loss=wgan_gp",
            "optimizer=rmsprop",
            "optimizer.momentum=0.9",
            "device.precision=fp64",
            "train.accumulate=2",
            model="mlp",
            data="ring",
        ),
        *EVERY_FIFTH,
    ],
    "array fp16 hinge sgd packs": [
        *small_words(
            *DATA["array"].split()[1:],
            "loss=hinge",
            "train.pack=2",
            "optimizer=sgd",
            "optimizer.momentum=0.9",
            "device.precision=fp16",
            "schedule.learning_rate.shape=cosine",
            "schedule.learning_rate.warmup=5",
            data="array",
        ),
        *EVERY_FIFTH,
    ],
    "stylegan2 ada path lengths": [
        *small_words(
            "auxiliary=[path_length]",
            "augment=[ada]",
            "augment.ada.kimg=0.3",
            "penalty=[r1]",
            "penalty.r1.every=3",
            "device.precision=bf16",
        ),
        *EVERY_FIFTH,
    ],
    "r3gan one backward": [
        *small_words(
            "loss=relativistic",
            "penalty=[r1,r2]",
            "penalty.r1.every=1",
            "device.precision=bf16",
            model="r3gan",
        ),
        *EVERY_FIFTH,
    ],
    "saves of 10 MB at each step": [
        *small_words("model.generator.hidden=[512,512]", "optimizer=adamw", model="mlp"),
        "checkpoint.every=1",
        "checkpoint.keep=1",
    ],
}
"""What is killed by default, by name."""


def matrix() -> dict[str, list[str]]:
    """Return the pairwise cases of the registries as configs; what the rules ask of a critic is added."""
    configs = {}
    for number, case in enumerate(pairwise(), 1):
        model, data, words = words_of(case)
        try:
            rules.check(
                train_config(composed(["train", *small_words(*words, *EVERY_RUN, model=model, data=data)]))
            )
        except ConfigError:
            words += ["model.discriminator.norm=spectral"]
        configs[f"case {number:02d}"] = [*small_words(*words, model=model, data=data), *EVERY_FIFTH]
    return configs
