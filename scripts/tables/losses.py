"""Every adversarial loss on MNIST, on equal networks: by the settings of its paper, and by ganctl's own."""

from scripts.tables.table import Column, Part, Row, Table

STEPS = 1000
"""Discriminator updates of a run by a paper: of all losses the same, so each discriminator sees as many images."""

POINTS = 5
"""Measurements of such a run for the figure."""

OWN_STEPS, OWN_POINTS = 2000, 10
"""Generator updates of a run by our own settings, and its measurements."""

ON_THE_WAY = ("evaluate.num=5000", "metric=[fid]", "metric/features=classifier")
"""The words by which a training measures itself, beside evaluate.every."""

PROTOCOL = (
    "Every adversarial loss there is in [configs/loss](../../configs/loss) on MNIST at 32×32, first by the "
    "settings of its paper (optimizer, updates, bounds on the discriminator), then by those of `ganctl train`. "
    "The networks are the same: DCGAN of width 32, batches of 64. By the papers, latents have 100 dimensions and "
    f"each discriminator sees {STEPS * 64:,} images, one pass, so that losses that take five updates of it for "
    "one of the generator have a fifth of the generator's updates. By our own settings, each generator has "
    f"{OWN_STEPS:,} updates. The number is the Fréchet distance (FID) of 10,000 samples of the last step to all "
    "training images, in the features of a small classifier of MNIST's digits: it compares the rows with each "
    "other and with real data, and is no published FID. For equal time, FID of 5,000 samples after 60 seconds of "
    "training, interpolated between two measurements. Means over 3 runs ± their standard error."
)

DEVIATIONS = (
    "The papers trained other networks on other data, and longer; no published number compares.",
    "Our own settings are the defaults (R1 of weight 0.1, Adam 4e-4 with β 0 and 0.99) and `loss=…`; "
    "`loss=wgan_gp` brings its own penalty and five updates of the discriminator; wgan has spectral norm in place "
    "of a penalty.",
    "The samples are those of the averaged generator (ganctl's default) in every row.",
    "Norms in the discriminator, by the papers: batch norm (minimax, nonsaturating, lsgan, wgan), spectral norm "
    "(hinge, relativistic_average), none (wgan_gp, relativistic).",
)


def _words(loss: str, *words: str, n_dis: int = 1) -> tuple[str, ...]:
    """Return the words of a row: its loss, its settings, and its share of the steps."""
    steps = STEPS // n_dis
    return (
        "experiment=losses",
        f"loss={loss}",
        *words,
        f"train.n_dis={n_dis}",
        f"train.steps={steps}",
        f"evaluate.every={steps // POINTS}",
        *ON_THE_WAY,
    )


def _adam(rate: str, betas: str) -> tuple[str, ...]:
    return (f"optimizer.lr={rate}", f"optimizer.betas={betas}")


DCGAN = _adam("2e-4", "[0.5,0.999]")
"""Of Radford et al. 2016, which later papers took over."""

NONE, SPECTRAL = ("model.discriminator.norm=none",), ("model.discriminator.norm=spectral",)

PAPERS = {
    "minimax": _words("minimax", "penalty=[]", *DCGAN),  # Goodfellow et al. 2014, with DCGAN's optimizer
    "nonsaturating": _words("nonsaturating", "penalty=[]", *DCGAN),  # Radford et al. 2016
    "lsgan": _words("lsgan", "penalty=[]", *DCGAN),  # Mao et al. 2017: for handwritten characters, 2e-4 and 0.5
    "hinge": _words("hinge", "penalty=[]", *SPECTRAL, *DCGAN),  # Miyato et al. 2018, setting C
    "wgan": _words(  # Arjovsky et al. 2017, algorithm 1
        "wgan", "penalty=[weight_clipping]", "optimizer=rmsprop", "optimizer.lr=5e-5", n_dis=5
    ),
    "wgan_gp": _words("wgan_gp", *_adam("1e-4", "[0,0.9]"), n_dis=5),  # Gulrajani et al. 2017, algorithm 1
    "relativistic": _words(  # R3GAN: Huang et al. 2024
        "relativistic",
        "penalty=[r1,r2]",
        "penalty.r1={weight: 1, every: 1}",
        "penalty.r2.weight=1",
        *NONE,
        *_adam("2e-4", "[0,0.99]"),
    ),
    "relativistic_average": _words(  # Jolicoeur-Martineau 2018, as for CIFAR-10
        "relativistic_average", "penalty=[]", *SPECTRAL, *DCGAN
    ),
}
"""The words of each row by its paper, by the loss's name."""


def _own(loss: str, *words: str, n_dis: int = 1) -> tuple[str, ...]:
    """Return the words of a row by our own settings; measurements take equal shares of the time."""
    every = f"evaluate.every={OWN_STEPS // OWN_POINTS // n_dis}"
    return ("model=dcgan", "data=mnist", f"loss={loss}", *words, f"train.steps={OWN_STEPS}", every, *ON_THE_WAY)


OWN = {
    **{loss: _own(loss) for loss in PAPERS},
    "wgan": _own("wgan", "penalty=[]", *SPECTRAL),
    "wgan_gp": _own("wgan_gp", n_dis=5),
}
"""The words of each row by our own settings, by the loss's name."""


def _rows(words: dict[str, tuple[str, ...]]) -> tuple[Row, ...]:
    return tuple(Row(loss, f"`{loss}`", each) for loss, each in words.items())


TABLE = Table(
    name="losses",
    protocol=PROTOCOL,
    deviations=DEVIATIONS,
    seeds=3,
    columns=(
        Column("fid", "fid", "FID by the classifier", 2),
        Column("fid", "fid", "after 60 s", 2, after=60),
    ),
    parts=(
        Part("", "By the papers' settings", _rows(PAPERS)),
        Part("own", "By ganctl's own settings", _rows(OWN)),
    ),
    evaluate=("metric=[fid]", "metric/features=classifier", "num=10000"),
    mnist=True,
    figure="FID over seconds of training: the images that the discriminator has seen, divided by the median "
    "speed of the run, so that evaluation, images and checkpoints do not count. Of 5,000 samples, where the "
    "table has 10,000. A dot is the end of a run.",
)
