"""What holds for every test: how hard Hypothesis searches, and that nobody's own project is ever touched."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

# No deadlines: a machine under load is slow now and then, and that is no fault of the code.
settings.register_profile("dev", max_examples=50, deadline=None)
# CI looks at eight times as many examples, always the same: a change is judged by what it does, not by the draw. New
# ones are drawn by everybody who works here.
settings.register_profile("ci", max_examples=400, deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "dev")

# The tests may themselves run under the toolkit, or in the shell of someone who uses it.
for name in [name for name in os.environ if name.startswith("TOOLKIT_")]:
    del os.environ[name]

# What nohup(1), or a shell that starts us in the background, has ignored would be ignored in every scene of signals.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)
