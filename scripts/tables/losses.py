"""Every adversarial loss on MNIST, each with the settings of its paper, on equal networks."""

from scripts.tables.table import Column, Part, Row, Table

STEPS = 1000
"""Discriminator updates of a run: of all losses the same, so that each discriminator sees as many images."""

POINTS = 5
"""Measurements of a run for the figure."""

ON_THE_WAY = ("evaluate.num=5000", "metric=[fid]", "metric/features=classifier")
"""The words by which a training measures itself, beside evaluate.every."""

PROTOCOL = (
    "Every adversarial loss there is in [configs/loss](../../configs/loss), with optimizer, updates and bounds on "
    "the discriminator as in its paper, on MNIST at 32×32. The networks are the same: DCGAN of width 32, "
    f"latents of 100 dimensions, batches of 64. Each discriminator sees {STEPS * 64:,} images, one "
    "pass, so that losses that take five updates of it for one of the generator have a fifth of the "
    "generator's updates. The number is the Fréchet distance (FID) of 10,000 samples of the last step to all "
    "training images, in the features of a small classifier of MNIST's digits: it compares the rows with each "
    "other and with real data, and is no published FID. Means over 3 runs ± their standard error."
)

DEVIATIONS = (
    "The papers trained other networks on other data, and longer; no published number compares.",
    "The samples are those of the averaged generator (ganctl's default) in every row.",
    "Norms in the discriminator follow the papers: batch norm (minimax, nonsaturating, lsgan, wgan), spectral "
    "norm (hinge, relativistic_average), none (wgan_gp, relativistic).",
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

ROWS = {
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
"""The words of each row, by the loss's name."""

TABLE = Table(
    name="losses",
    protocol=PROTOCOL,
    deviations=DEVIATIONS,
    seeds=3,
    columns=(Column("fid", "fid", "FID by the classifier", 2),),
    parts=(Part("", "", tuple(Row(loss, f"`{loss}`", words) for loss, words in ROWS.items())),),
    evaluate=("metric=[fid]", "metric/features=classifier", "num=10000"),
    mnist=True,
    figure="FID over seconds of training: the images that the discriminator has seen, divided by the median "
    "speed of the run, so that evaluation, images and checkpoints do not count. Of 5,000 samples, where the "
    "table has 10,000. A dot is the end of a run.",
)
