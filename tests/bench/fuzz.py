"""Lets atheris look for output that the classifier cannot bear: `./dev bench fuzz`.

It mutates real messages towards unseen branches of reading, judging, templates and rules of one's own. Any exception,
any answer that breaks its promise and any input that takes seconds ends the run with the input that did it.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = int(os.environ.get("TOOLKIT_FUZZ_SECONDS", "60"))
LARGEST = 1 << 14
TOO_LONG = 5.0


def main() -> None:
    """Run the fuzzer in the environment that holds it, from the examples of the rules and the lists of messages."""
    from tests.bench.peers import peers_python
    from toolkit.core.rules import BUILT_IN

    python = peers_python("classify")
    if python is None:
        return
    with tempfile.TemporaryDirectory() as place:
        texts = {rule.example for rule in BUILT_IN if rule.match}
        for name in ("failures.txt", "harmless.txt"):
            texts |= set((ROOT / "tests" / "core" / "data" / name).read_text(encoding="utf-8").splitlines())
        for number, text in enumerate(sorted(texts)):
            Path(place, f"{number:05}").write_text(text.replace("\\n", "\n"), encoding="utf-8")
        limits = [f"-max_total_time={SECONDS}", f"-max_len={LARGEST}", "-timeout=20", "-verbosity=1"]
        ended = subprocess.run(
            [python, __file__, *limits, place], cwd=place, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False
        )
    print(
        f"fuzzed for {SECONDS} s from {len(texts)} texts: {'no fault' if not ended.returncode else 'FAULT, see above'}"
    )
    sys.exit(ended.returncode)


def fuzz() -> None:
    """Be the fuzzer: runs where atheris is, where neither RE2 nor hyperscan are."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["toolkit.core"]):
        from toolkit.core.classes import CLASSES
        from toolkit.core.failure import Classifier, familiar_lines
        from toolkit.core.rules.linear import linear
        from toolkit.core.signature import template
    classifier = Classifier(engine="re")

    def one(data: bytes) -> None:
        begin = time.process_time()
        found = classifier.classify(data[1:], exit_code=data[0] if data else None)
        assert found.failure_class in CLASSES
        assert found.signature
        assert len(found.evidence) <= 20
        text = data[:2000].decode("utf-8", "replace")
        assert template(template(text)) == template(text)
        familiar_lines(data)
        linear(text[:200])
        assert time.process_time() - begin < TOO_LONG

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    (fuzz if len(sys.argv) > 1 else main)()
