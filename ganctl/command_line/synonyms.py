"""Words that other tools use for ganctl's keys and choices: what to type here."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Advice:
    """What to type in place of a word, `key` or `group=option`, and a remark; without a target only the remark."""

    target: str | None
    remark: str = ""

    def __str__(self) -> str:
        if self.target is None:
            return f"not there; {self.remark}"
        typed = self.target if "=" in self.target else f"{self.target}=…"
        return f"here it is {typed}" + (f" ({self.remark})" if self.remark else "")


def _all(advice: Advice, words: str) -> dict[str, Advice]:
    return dict.fromkeys(words.split(), advice)


TRAIN: dict[str, Advice] = {
    **_all(
        Advice("optimizer.lr", "of one player, optimizer.generator.lr or optimizer.discriminator.lr"),
        "lr learning_rate learning-rate",
    ),
    **_all(Advice("optimizer.generator.lr"), "g_lr lr_g glr generator_lr"),
    **_all(Advice("optimizer.discriminator.lr"), "d_lr lr_d dlr discriminator_lr"),
    **_all(Advice("optimizer.betas", "a pair such as [0.5,0.99]"), "beta1 beta2 b1 b2 betas adam_beta1"),
    **_all(Advice("optimizer.weight_decay"), "weight_decay wd"),
    **_all(
        Advice("train.steps", "an epoch is as many steps as the images divided by train.batch_size"),
        "epochs n_epochs niter max_epochs num_epochs",
    ),
    **_all(Advice("train.steps"), "steps iterations iters n_iter max_steps max_iter total_steps num_steps kimg"),
    **_all(Advice("train.batch_size"), "batch_size batch batchsize bs batch-size batch_gpu"),
    **_all(Advice("train.pack"), "loss.pack pack packing pac"),
    **_all(Advice("train.n_dis"), "n_critic ncritic n_dis d_steps num_d_steps critic_iters"),
    **_all(
        Advice("train.accumulate"), "accumulate grad_accum gradient_accumulate_every gradient_accumulation_steps"
    ),
    **_all(Advice("train.clip_norm"), "grad_clip clip_grad max_grad_norm gradient_clip_val"),
    **_all(
        Advice("name", "the folder is outputs/<name>"),
        "outdir out_dir output output_dir out logdir log_dir save_dir results_dir run_name exp_name",
    ),
    **_all(
        Advice(None, "one process trains on one device, chosen by device=cuda device.name=cuda:0"),
        "gpus gpu gpu_ids num_gpus ngpu devices world_size n_gpus nproc",
    ),
    **_all(Advice("device.precision", "fp32, bf16, fp16"), "precision fp16 bf16 amp mixed_precision use_amp half"),
    **_all(Advice("device.threads"), "threads num_threads"),
    **_all(Advice("device.compile"), "compile torch_compile"),
    **_all(
        Advice("data.workers", "of data=folder; decoding is done once, training needs none"),
        "num_workers workers n_workers nworkers",
    ),
    **_all(
        Advice("data.resolution", "where the data has it"),
        "image_size img_size imsize size resolution imageSize crop_size",
    ),
    **_all(Advice("data.channels", "of data=folder"), "channels img_channels n_channels"),
    **_all(Advice("model.latent"), "z_dim latent_dim nz latent noise_dim z_size latent_size zdim"),
    **_all(Advice("model.generator.width"), "ngf gf_dim g_conv_dim width"),
    **_all(Advice("model.discriminator.width"), "ndf df_dim d_conv_dim"),
    **_all(
        Advice("data.path", "with data=folder"),
        "path dataroot data_dir data_path data_root datapath train_dir image_dir folder",
    ),
    **_all(Advice("data"), "dataset dset dataset_name"),
    **_all(Advice("model"), "arch architecture network backbone netG netD model_name"),
    **_all(Advice("loss"), "gan_mode loss_type gan_loss adv_loss criterion"),
    **_all(Advice("penalty.r1.weight"), "gamma r1_gamma r1 r1_weight"),
    **_all(
        Advice("penalty", "penalty=[gradient_penalty], weighted by penalty.gradient_penalty.weight"),
        "gp lambda_gp gp_weight gradient_penalty",
    ),
    **_all(Advice("logging.every"), "log_interval log_every log_freq print_freq print_every"),
    **_all(
        Advice("checkpoint.every"), "save_every save_interval save_freq snap snapshot checkpoint_every ckpt_every"
    ),
    **_all(Advice("sample.every"), "sample_interval sample_every sample_freq display_freq"),
    **_all(Advice("evaluate.every"), "eval_every eval_interval eval_freq metrics"),
    **_all(
        Advice("ema.half_life", "in images; a decay d at batch b is a half-life of b·log(0.5)/log(d)"),
        "ema.decay ema_decay ema.beta ema_beta decay ema_rate",
    ),
    **_all(
        Advice("schedule.learning_rate.shape", "constant, linear or cosine"),
        "scheduler lr_scheduler lr_policy schedule.lr",
    ),
    **_all(Advice("schedule.learning_rate.warmup"), "warmup warmup_steps"),
    **_all(
        Advice(None, "the same command again, or `ganctl resume <run>`, goes on with a run"),
        "resume resume_from continue continue_train ckpt load checkpoint_path auto_resume",
    ),
    **_all(
        Advice(None, "a run cannot begin from another one's weights"),
        "pretrained init_from finetune weights transfer",
    ),
    **_all(
        Advice(None, "train.steps says when a run ends; SIGTERM saves and ends it"),
        "train.max_time max_time time_limit",
    ),
    **_all(
        Advice(None, "evaluate.every keeps the best checkpoint, which=best takes it"),
        "train.patience patience early_stopping train.early_stopping",
    ),
    **_all(
        Advice(None, "runs are written for TensorBoard and to metrics.jsonl"), "wandb logger use_wandb tensorboard"
    ),
    **_all(Advice("device.strict"), "deterministic train.deterministic cudnn_deterministic"),
    **_all(Advice("seed"), "manual_seed manualSeed random_seed rng"),
}
SAMPLING: dict[str, Advice] = {
    **_all(Advice("num"), "n num_samples nsamples samples n_samples count"),
    **_all(Advice("out"), "outdir out_dir output output_dir save_dir"),
    **_all(Advice("ckpt"), "checkpoint run path resume load model_path"),
    **_all(
        Advice(None, "samples are drawn as they were trained, without truncation"),
        "trunc truncation truncation_psi psi",
    ),
    **_all(Advice("device.precision"), "precision fp16 amp"),
    **_all(Advice("batch_size"), "batch bs batch-size"),
}
DATA: dict[str, Advice] = {
    **_all(Advice("path"), "data.path dataroot data_dir data_path folder source root"),
    **_all(Advice("resolution"), "data.resolution image_size img_size size"),
    **_all(Advice("workers"), "num_workers data.workers"),
    **_all(Advice("cache"), "out outdir dest output"),
}
KEYS = {"train": TRAIN, "sample": SAMPLING, "evaluate": SAMPLING, "data": DATA}
"""Other tools' keys for each command."""

CHOICES: dict[str, Advice] = {
    **_all(Advice("device=cuda"), "device=gpu device=cuda0 device=nvidia"),
    **_all(
        Advice("loss=nonsaturating"),
        "loss=bce loss=gan loss=vanilla loss=ns loss=non-saturating loss=standard loss=logistic",
    ),
    **_all(Advice("loss=lsgan"), "loss=mse loss=ls loss=least_squares"),
    **_all(Advice("loss=wgan_gp"), "loss=wgan-gp loss=wgangp"),
    **_all(
        Advice("loss=relativistic", "R3GAN's loss; its penalties are penalty=[r1,r2]"),
        "loss=r3gan loss=rpgan loss=rgan",
    ),
    **_all(Advice("loss=relativistic_average"), "loss=ragan loss=rsgan"),
    **_all(Advice("penalty=[gradient_penalty]"), "penalty=gp penalty=[gp] penalty=wgan_gp"),
    **_all(Advice("penalty=[]"), "penalty=none penalty=null penalty=false"),
    **_all(Advice("auxiliary=[]"), "auxiliary=none auxiliary=null"),
    **_all(Advice("data=folder", "and data.path=…"), "data=images data=imagefolder data=image_folder data=custom"),
    **_all(Advice("data=cifar10"), "data=cifar data=cifar-10"),
    **_all(Advice("data=fashion_mnist"), "data=fashionmnist data=fashion-mnist data=fmnist"),
    **_all(
        Advice(None, "models are dcgan and mlp"),
        "model=stylegan2 model=stylegan model=biggan model=sngan model=r3gan model=resnet model=fastgan",
    ),
    **_all(Advice(None, "augmentation is not there yet"), "augment=ada augment=diffaugment"),
    **_all(Advice("schedule.learning_rate.shape=cosine"), "schedule=cosine schedule.learning_rate=cosine"),
    **_all(Advice("schedule.learning_rate.shape=linear"), "schedule=linear schedule.learning_rate=linear"),
    **_all(Advice("schedule.learning_rate.shape=constant"), "schedule=constant schedule=none schedule=null"),
    **_all(Advice("ema.half_life=0"), "ema=false ema=null ema=off ema=none ema=0"),
    **_all(Advice("ema.half_life", "in images"), "ema=true ema=on"),
    **_all(
        Advice("checkpoint.keep_every=1"),
        "checkpoint.keep=all checkpoint.keep=-1 checkpoint.keep=inf checkpoint.keep=null",
    ),
    **_all(Advice("device.precision=fp16"), "device.precision=16 device.precision=float16 device.precision=half"),
    **_all(Advice("device.precision=bf16"), "device.precision=bfloat16"),
    **_all(Advice("device.precision=fp32"), "device.precision=32 device.precision=float32 device.precision=full"),
}
"""Other tools' words, `key=value`, none of which is ever right here unless a user's own option has the name."""


def advice_on(command: str, key: str, value: str | None = None) -> Advice | None:
    """Return what to type in place of a key, or of a key and its value, that a command does not know."""
    if value is not None:
        if key == "device" and re.fullmatch(r"cuda:\d+|\d+", value):
            return Advice(f"device=cuda device.name=cuda:{value.removeprefix('cuda:')}")
        found = CHOICES.get(f"{key}={value}".lower())
        if found is not None:
            return found
    return KEYS.get(command, {}).get(key)
