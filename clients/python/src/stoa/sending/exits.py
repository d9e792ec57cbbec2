"""The ends of a process: what is queued gets a moment to go out, and a fork begins with nothing."""

from __future__ import annotations

import atexit
import multiprocessing.util
import os
import signal
import threading
from typing import Any, Callable


class Exits:
    """Calls ``flush`` at every end that Python tells of, and ``forked`` in a child."""

    def __init__(self, flush: Callable[[], Any], forked: Callable[[], Any]) -> None:
        self._flush, self._forked = flush, forked
        atexit.register(flush)
        # A child of multiprocessing ends without atexit, and forgets the finalizers of its parent.
        multiprocessing.util.Finalize(None, flush, exitpriority=10)
        multiprocessing.util.register_after_fork(self, Exits._in_worker)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=forked)
        self._on_terminate()

    def _in_worker(self) -> None:
        multiprocessing.util.Finalize(None, self._flush, exitpriority=10)

    def _on_terminate(self) -> None:
        """Takes SIGTERM where nobody else does. The handler itself waits for nothing: a thread does, and then ends the
        process by the same signal."""
        try:
            if threading.current_thread() is threading.main_thread():
                if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
                    signal.signal(signal.SIGTERM, self._terminate)
        except (ValueError, OSError):
            pass

    def _terminate(self, *_: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

        def last() -> None:
            try:
                self._flush()
            finally:
                os.kill(os.getpid(), signal.SIGTERM)

        try:
            threading.Thread(target=last, name="stoa-last", daemon=True).start()
        except RuntimeError:
            os.kill(os.getpid(), signal.SIGTERM)
