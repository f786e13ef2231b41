"""`experiment=auto`: look at the data and the machine, then compose the config again with what fits them."""

import re
from collections import Counter

from ganctl.command_line.jobs import Job, Typed
from ganctl.config import train_config
from ganctl.data.decoding.files import FoundImages, search, typical_side
from ganctl.data.source import Source
from ganctl.data.sources.image_folder import Folder
from ganctl.game.build import open_configured
from ganctl.game.outline import memory_of
from ganctl.recipes.recommend import Facts, recommend
from ganctl.runtime.console import say
from ganctl.runtime.device import Device

AUTO = "experiment=auto"


def chosen(values: Typed, job: Job) -> Typed:
    """Return a job's values; under `experiment=auto`, with what is recommended for its data, which is reported.

    The job's own words come after the recommended ones, and so win. Raises what is wrong with the data.
    """
    words = [word for word in job.words if re.sub("[+'\"]", "", word) != AUTO]
    if len(words) == len(job.words) or job.compose is None:
        return values
    config = train_config(values)
    device = open_configured(config.device, config.data.kind)
    own = {word.lstrip("+~").partition("=")[0] for word in words}
    recommended = recommend(facts_of(config.data, device), own)
    for each in recommended:
        say(f"auto    {each}")
    return job.compose([*(each.word for each in recommended if each.word), *words])


def facts_of(source: Source, device: Device) -> Facts:
    """Return what is to be known of data and machine; of a folder without decoding its images."""
    memory, cuda = memory_of(device)[0], device.torch_device.type == "cuda"
    if isinstance(source, Folder):
        return of_images(source, search(source.path, source.subfolder), memory, cuda=cuda)
    store = source.load()
    classes = Counter(store.labels.tolist()).values() if store.labels is not None else ()
    return Facts(len(store), store.space.shape, memory, cuda, classes=tuple(classes))


def of_images(source: Folder, found: FoundImages, memory: int, *, cuda: bool) -> Facts:
    """Return what is to be known of images that were found in a folder."""
    typical = typical_side(found.files) or 64
    side = source.resolution or min(64, typical)
    classes = Counter(file.belongs_to for file in found.files)
    counts = tuple(classes.values()) if len(classes) > 1 else ()
    return Facts(len(found.files), (source.channels, side, side), memory, cuda, typical, counts)
