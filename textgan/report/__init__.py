"""Numbers about samples as plain data, a table, JSON; the module itself may be called: `textgan.report(...)`."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textgan.report.measure import Report


class _Callable(ModuleType):
    """The package's name is also its public function's."""

    def __call__(self, *args: Any, **kwargs: Any) -> Report:
        """Measure samples; see `textgan.report.measure.report`."""
        from textgan.report.measure import report

        return report(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
