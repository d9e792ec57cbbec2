"""One call watches the frameworks of a program: ``stoa.watch()``.

Each framework has a file here, which takes what the framework offers for it (a callback, a processor, a bus) and tells by
:mod:`stoa.telling.events`. No framework is imported by this package.
"""

from .tee import tee
from .watch import Watched, watch

__all__ = ["Watched", "tee", "watch"]
