"""The rules are data that prove themselves: every one names a line that it means and one that it does not."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core.classes import CLASSES, GROUP_OF, GROUPS, members
from toolkit.core.engine import matcher
from toolkit.core.failure import Classifier
from toolkit.core.rules import BUILT_IN, SMELLS, Rule, linear
from toolkit.core.rules.linear import line_safe, required
from toolkit.core.rules.rule import within

WITH_TEXT = [rule for rule in BUILT_IN if rule.match]
NAMES = [f"{at}-{rule.id}" for at, rule in enumerate(WITH_TEXT)]
CLASSIFIER = Classifier()


@pytest.mark.parametrize("rule", WITH_TEXT, ids=NAMES)
def test_every_rule_recognises_its_example_before_all_others(rule: Rule) -> None:
    """The example of a rule, alone in a failed attempt's output, gets that rule's id and class."""
    found = CLASSIFIER.classify(rule.example.encode(), exit_code=1)

    assert (found.rule, found.failure_class) == (rule.id, rule.failure_class)
    assert found.evidence[0].line == 1


@pytest.mark.parametrize("rule", WITH_TEXT, ids=NAMES)
def test_no_rule_recognises_its_counterexample(rule: Rule) -> None:
    """The counterexample of a rule, alone, is never given to that rule."""
    expression_matches = matcher(rule.match)(rule.counterexample.encode())
    excused = rule.unless is not None and matcher(rule.unless)(rule.counterexample.encode())

    assert rule.counterexample
    assert not expression_matches or excused


@pytest.mark.parametrize("rule", [*BUILT_IN, *SMELLS], ids=lambda rule: rule.id)
def test_every_expression_is_linear_and_quick_to_rule_out(rule: Rule) -> None:
    """What we ask of people's rules holds for ours, and each has literals by which most lines are ruled out."""
    for expression in filter(None, (rule.match, rule.unless)):
        assert linear(expression) is None
    assert not rule.match or required(rule.match)


def test_an_id_stands_for_one_class() -> None:
    """Expressions that share an id share a class: a signature in the history means one thing."""
    classes: defaultdict[str, set[str]] = defaultdict(set)
    for rule in BUILT_IN:
        classes[rule.id].add(rule.failure_class)
        assert re.fullmatch(r"[a-z]+(\.[a-z0-9_]+)?", rule.id), rule.id
        assert rule.failure_class in CLASSES

    assert {name: found for name, found in classes.items() if len(found) > 1} == {}
    assert classes["net.timeout"] == {"network"}


def test_there_are_rules_for_every_class() -> None:
    """No class of the contract is out of reach."""
    assert {rule.failure_class for rule in BUILT_IN} | {"unknown"} == set(CLASSES)


HARMLESS = [
    "0 errors, 0 warnings",
    "web : ok=12 changed=3 unreachable=0 failed=0 skipped=1 rescued=0 ignored=0",
    "error handling enabled",
    "Setting up liberror-perl (0.17029-2) ...",
    "gcc -Wall -Werror -c error.c -o error.o",
    "Fetched 503 kB in 4s (429 kB/s)",
    "Downloading retry-1.0.tar.gz (404 kB)",
    "Tests run: 192, Failures: 0, Errors: 0, Skipped: 15",
    "12 passed, 0 failed in 3.2s",
    "[  OK  ] Started Failure handling daemon.",
    "Get:5 http://deb.example/debian bookworm/main amd64 libgpg-error0 amd64 1.46-1 [76.4 kB]",
    "checking for strerror... yes",
    "ok: [rootfs] => (item=on_error.sh)",
    "udevadm: device or resource busy, ignoring",
    "No errors found",
    "copied timeout.conf to /etc/systemd/system",
    "export RETRIES=3 TIMEOUT=60",
    "configure: checking whether the compiler supports -Werror=format-security",
]


@pytest.mark.parametrize("line", HARMLESS)
def test_a_harmless_line_means_nothing(line: str) -> None:
    """Lines that successful builds print are not a failure, however much they sound like one."""
    assert CLASSIFIER.classify_line(line.encode()).failure_class == "unknown"


REFUSED = {
    "(?=later)x": "look-around",
    "(?<!a)x": "look-around",
    r"(a)\1": "back-reference",
    "(?P<n>a)(?P=n)": "back-reference",
    "a++b": "possessive",
    "(?>ab)": "atomic",
    "(": "invalid",
    "x*": "empty line",
    "foo\\nbar": "one line at a time",
    "foo(?i)bar": "beginning",
    "(?s)foo": "(?i)",
    "a{5000}": "too large",
    r"foo\Z": "ends of the line",
    "[äö]x": "ASCII",
    r"\é": "ASCII",
    "[a||b]": "operator",
}


@pytest.mark.parametrize(("expression", "reason"), REFUSED.items())
def test_what_is_not_linear_or_not_portable_is_refused_with_the_reason(expression: str, reason: str) -> None:
    """A person reads why an expression cannot be a rule's."""
    assert reason in str(linear(expression))


@pytest.mark.parametrize(
    "expression",
    [
        "E7713 broker handshake lost",
        r"(?i)^error: \w+ [\d.]+$",
        r"(a+)+b",
        "«lost» (?:here|there)",
        r"x{2,5}\.y\+",
        "[^]a]b",
    ],
)
def test_ordinary_expressions_are_accepted(expression: str) -> None:
    """What RE2 accepts is fine, nested repeats included: they cost nothing there."""
    assert linear(expression) is None


@given(st.text(alphabet="ab(|)?*+[]^$.\\dsw{2,}i:é ", max_size=25))
def test_an_accepted_expression_works_everywhere(expression: str) -> None:
    """Whatever `linear` lets through compiles, matches, and has only literals that its matches hold."""
    if linear(expression) is not None:
        return
    literals = required(expression)
    for text in ("ab ab", "aab(d)", "1 2 b", "éa", "bb aa ab ba", "i:a{2,}"):
        line = text.encode()
        found = re.compile(line_safe(expression)).search(line) is not None
        assert matcher(expression)(line) == found
        if found and literals:
            assert any(literal in line.lower() for literal in literals)


@pytest.mark.parametrize("rule", WITH_TEXT, ids=NAMES)
def test_the_literals_of_a_rule_stand_in_its_example(rule: Rule) -> None:
    """A rule's line is never ruled out by the search for literals."""
    assert any(literal in rule.example.encode().lower() for literal in required(rule.match))


def test_groups_and_classes_are_words_for_classes() -> None:
    """A group stands for its classes, a class for itself, and any other word for nothing at all."""
    assert {name for group in GROUPS for name in members(group)} == set(CLASSES)
    assert members("network") == {"network"}
    assert members("transient") == {"network", "rate_limited", "unavailable", "contention", "infrastructure"}
    assert set(GROUP_OF) == set(CLASSES)
    for word in ("", "*", "all", "Network"):
        with pytest.raises(ValueError, match="neither"):
            members(word)


def test_states_are_codes_and_ranges() -> None:
    """`5,10-65` means what it means everywhere; an unknown state lies nowhere."""
    assert [code for code in (0, 5, 9, 10, 65, 66) if within("5,10-65", code)] == [5, 10, 65]
    assert not within("0-100", None)
