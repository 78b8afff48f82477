"""What scripts and people write in a few words of their own: `Network timeout`, `disk full`, `smoke test failed`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit.core.rules.rule import SYMPTOM, Rule

if TYPE_CHECKING:
    from toolkit.core.classes import FailureClass

_FEW_WORDS: Final = 160
_NO: Final = r"(?i)\b(?:no|without|if|when|checking|passed|warning|set|default|default_|test_)\b|=|^ *[{#\"]"
_FAILED: Final = r"(?:fail(?:ed|ure|s)?|error|problem|broken|lost|down)"


def _said(  # noqa: PLR0913, PLR0917 - the columns of a table
    name: str, means: FailureClass, words: str, example: str, counterexample: str, weight: int = SYMPTOM - 4
) -> Rule:
    return Rule(
        name,
        means,
        rf"(?i)\b(?:{words})",
        example,
        counterexample,
        weight=weight,
        unless=_NO,
        longest=_FEW_WORDS,
    )


RULES: Final = (
    _said(
        "net.timeout",
        "network",
        (
            r"(?:ssh|registry|mirror|download|network|connection|http|proxy|repository|fetch|dns"
            r"|git)\w* (?:request )?time(?:d )?-?out"
        ),
        "SSH timeout",
        "ssh timeout set to 30",
    ),
    _said(
        "said.network",
        "network",
        rf"dns {_FAILED}|(?:could not|cannot|unable to) (?:reach|contact|connect to) \w+|(?:host|mirror|server"
        r"|network|machine|vm|node)s? (?:is |was )?unreachable"
        rf"|connection (?:reset|dropped|lost|closed)|(?:network|proxy|connectivity|connection) {_FAILED}",
        "Mirror unreachable",
        "host reachable",
    ),
    _said(
        "said.memory",
        "resource",
        r"oom\b|killed by (?:the )?oom|memory exceeded|low memory",
        "Killed by OOM",
        "oom_score 3",
    ),
    _said(
        "said.dependency",
        "dependency",
        rf"(?:package|dependency|module|library|artifact|version)s? (?:\S+ )?(?:not found|conflict|missing|unavailable)"
        rf"|(?:package|dependency) (?:install\w*|resolution) {_FAILED}|failed to (?:install|resolve) (?:packages?"
        r"|dependenc\w+)|\w+ returned 404",
        "Package not found",
        "package found",
    ),
    _said(
        "said.auth",
        "auth",
        (
            r"(?:ssh |api |deploy )?(?:key|token|password|login|credential)s? (?:was |were )?(?:rejected|refused"
            r"|expired|denied|invalid)"
        ),
        "SSH key rejected",
        "key accepted",
    ),
    _said(
        "said.test",
        "test",
        r"(?:test|check|validation|verification|scan|assertion)s?(?: suite| run)? (?:has |have )?(?:failed|failure)",
        "Validation tests failed",
        "0 tests, all passed",
    ),
    _said(
        "said.lock",
        "contention",
        (
            r"(?:dpkg|apt|yum|rpm|state|build|file|db|database) lock(?:ed)?|lock (?:is |was )?(?:held|taken|busy)"
            r"|locked by"
        ),
        "dpkg lock held",
        "unlocked",
    ),
    _said(
        "said.stall",
        "stall",
        r"stalled|hung|no progress|(?:appears|seems) (?:to be )?(?:stuck|hung)",
        "install stalled",
        "installed",
    ),
    Rule(
        "said.timeout",
        "timeout",
        r"(?i)^(?:[\w:'-]+ ){0,5}(?:time-?out|timed out|time limit)"
        r"(?: (?:reached|exceeded|expired|error|failure|after .{1,20}|waiting.{0,40}))?\W{0,3}$",
        "VM boot timeout",
        "copied timeout.conf",
        weight=SYMPTOM - 8,
        unless=_NO,
    ),
    _said(
        "said.unavailable",
        "unavailable",
        (
            r"(?:service|server|hypervisor|registry|api|mirror|repository|license server)s? (?:is "
            r"|was )?(?:not responding|unavailable|overloaded|down|offline)"
        ),
        "Service not responding",
        "service is up",
    ),
    _said(
        "said.throttled",
        "rate_limited",
        r"throttl(?:ed|ing)|rate limit(?:ed|ing)?",
        "requests to the API were throttled",
        "no throttling",
    ),
    _said(
        "said.config",
        "config",
        (
            r"syntax error|(?:config|configuration|playbook|kickstart|template|yaml|json|parameter"
            r"|setting)s? (?:error|invalid|missing|mismatch)"
        ),
        "Syntax error in playbook",
        "no syntax errors",
    ),
    _said(
        "said.killed",
        "killed",
        (
            r"(?:terminated|killed|ended|died) (?:by|on|with|from) (?:a )?signal|received sig(?:kill|term|int)"
            r"|was killed|(?:cancelled|canceled|aborted) by"
        ),
        "terminated by signal 9",
        "ended well",
    ),
    _said(
        "said.corrupt",
        "infrastructure",
        (
            r"(?:corrupt(?:ed)?|truncated|damaged) (?:download|file|archive|image|package)|(?:host|hypervisor|kvm"
            r"|node|storage|disk|hardware|backend|i/o) .{0,20}(?:crashed|error|failure|fault)|\bi/o error"
        ),
        "KVM host crashed",
        "host fine",
    ),
    _said(
        "said.dirty",
        "dirty",
        (
            r"(?:dirty|stale|leftover|left-over|unclean) (?:workspace|tree|mount|state|lock|file|checkout|volume|vm"
            r"|build)\w*|\w+ (?:already exists|already in use)"
        ),
        "stale workspace",
        "clean tree",
    ),
)
