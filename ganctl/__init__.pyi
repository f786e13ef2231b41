from ganctl.api import LoadedGenerator as LoadedGenerator
from ganctl.api import load as load
from ganctl.api import train as train
from ganctl.runtime.version import __version__ as __version__
