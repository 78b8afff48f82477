"""The words of a cause in any tool's mouth, heard near the end of an output where no known phrase says more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit.core.rules.rule import BROAD, Rule

if TYPE_CHECKING:
    from toolkit.core.classes import FailureClass

_NO: Final = (
    r"(?i)\b(?:no|without|zero|0) (?:errors?|failures?|problems?|conflicts?|issues?)\b|^\W{0,3}(?:\S+ ){0,4}\W{0,3}(?:warn(?:ing)?|note|info|debug"
    r"|notice|hint)\b|^W: |\bif \[|^ *(?:[{#\"]|\++ )|\b(?:checking|testing|looking) (?:for|whether)\b|\bassert\b|^E  +"
    r"|^\[ *\d+\.\d+\]|^(?:Get|Hit|Ign|Fetched|Unpacking|Setting up|Selecting|Preparing|Installing :|Requirement already"
    r"|Created|Switched|Merge|Running)\b|^-- |systemd-udevd|\bif ! "
    r"|\bdelaying\b|sudo: unable to resolve|^\s*(?:export |set |local |- )?\w+ ?[=:]+ ?[\w\"'/$.-]+$|^debconf: |^kill: |\bresult: ok\b|\bignor|\bskip|\bnot fatal\b|\b(?:set|defaults?) to\b|\bretry(?:ing)?\b"
)
_GONE: Final = r"(?:not (?:be )?(?:found|available|installed|installable|resolved)|(?:couldn\'t|can\'t) be (?:found|resolved)|missing|does(?: not|n't) exist|unavailable)"
_WIRE: Final = (
    r"\b(?:download|fetch|connect|connection|socket|mirror|peer|proxy|dns|resolver|network|registry|tunnel|ssh|https?"
    r"|tcp|tls|transfer|upload|clon|dial|keyserver|remote (?:host|end|server)|nameserver|repository|request|handshake)(?:s|es|ed|ing)?\b"
)


def _broad(  # noqa: PLR0913, PLR0917 - the columns of a table
    name: str, means: FailureClass, match: str, example: str, counterexample: str, weight: int = BROAD
) -> Rule:
    return Rule(
        f"broad.{name}", means, f"(?i){match}", example, counterexample, weight=weight, unless=_NO, near_end=True
    )


_TO_THE_WIRE: Final = _WIRE.replace("|https?", "").replace("|request", "")
"""What follows a word of failure: an address or a request named there is mostly where to read on, or what was asked for."""

RULES: Final = (
    _broad(
        "test",
        "test",
        r"\b(?:tests?|checks?|specs?|scenarios?|controls?|assertions?|examples?|compliance|validation|verification|quality gates?|gates?|benchmarks?|audit)\b.*"
        r"\b(?:failed|failing|failures?|violat\w+|did not pass|not met)\b|\b[1-9]\d* of \d+ (?:\w+ )?failed\b"
        r"|\bFAILED - \d+$|\bsuites?: failed\b|\b[1-9]\d* (?:\w+ )?vulnerabilit(?:y|ies)\b(?: found|$)|\b[1-9]\d* (?:of \d+ )?(?:tests?|checks?|rules?"
        r"|controls?|specs?) (?:did not pass|failed|failing)|\bexpected\b.*\b(?:but|got|found|actual|instead)\b"
        r"|\b[1-9]\d* (?:out )?of \d+ .*\b(?:not satisfied|unsatisfied|not met|did not pass|not passed)\b"
        r"|\.{6,} ?Failed$|\bNOT OK$|\b[1-9]\d* of \d+ \w+ (?:red|not compliant)\b|\b(?:rule|control|check|test)\b.* FAILED$|\bevaluation failed\b|\bdiffers? from (?:the )?(?:golden|expected|reference|baseline|recorded)\b|\btests?, [1-9]\d* failures?|\b\d+ (?:passed|ok|successful), [1-9]\d* (?:failed|failures?)",
        "acceptance: 3 of 14 checks did not pass",
        "all checks passed",
        weight=BROAD - 1,
    ),
    _broad(
        "rate",
        "rate_limited",
        r"\btoo many (?:requests|concurrent|api calls|calls|pulls|downloads)|\bslow down\b|\bthrottl(?:ed|ing)\b"
        r"|\b(?:requests?|calls|pulls|downloads) per (?:second|minute|hour|day)\b.*\b(?:exceeded|reached|limit)"
        r"|\b(?:request|api|call|download|pull) (?:limit|quota)s? (?:was |has been )?(?:reached|exceeded|hit)",
        "fetcher: the daily API limit was reached, slow down",
        "limits are fine",
        weight=BROAD + 6,
    ),
    _broad(
        "resource",
        "resource",
        r"\b(?:out of|too (?:small|little|few|low)|not enough|not have enough|insufficient|exhaust\w+|exceed\w+|no more|ran out of|lack(?:s|ing)? (?:of )?)\b.*"
        r"\b(?:memory|ram|swap|disk|space|file ?system|storage|inodes?|handles?|descriptors?|threads|processes|quota|blocks|cpus?"
        r"|cores)\b|\b(?:disk|free|memory|storage|pool) ?(?:space|size)? .*\b(?:is insufficient|insufficient|reached (?:the )?threshold|too low)\b"
        r"|\b(?:datastore|store|scratch) (?:is )?full$|\bonly \d[\d.]* ?[KMGT]i?B (?:is |are )?(?:free|left|available)\b|\bneeds? at least \d[\d.]* ?[KMGT]i?B\b|\bno (?:free |more )?(?:\w+ ){1,3}(?:left|remaining) (?:in|on|for)\b|\b(?:can't|cannot|does not|do not|doesn't|will not|won't) fit\b|\b0 ?(?:bytes|blocks|[KMGT]i?B) (?:left|free|available|remaining)\b|\bquota limit\b|\b(?:memory|swap|disk|volume|filesystem|partition|quota|pool|heap)\b.*\b(?:is full|full$|exhausted"
        r"|exceeded|overflow)",
        "imager: the scratch volume is full",
        "memory 2048 MB",
        weight=BROAD + 6,
    ),
    _broad(
        "contention",
        "contention",
        r"\b(?:is|are|was) (?:reserved|claimed|held|leased) (?:by|for) |\b(?:locked|in use|used|held|owned|claimed|busy|taken) (?:already )?(?:by|with) (?:an|some|the )?other\b"
        r"|\b(?:another|other|concurrent) (?:app|application|program|process|build|job|run|instance|user|operation|transaction|deployment"
        r"|update)s?\b.*\b(?:running|using|holds?|holding|progress|active|already|locked)\b"
        r"|\b(?:acquire|acquiring|obtain|obtaining|get|getting|take|taking|waiting (?:for|on)|wait for)\b.*\b(?:lock"
        r"|mutex|lease|semaphore)\b|\b(?:owned|held|locked|reserved) by (?:job|build|pid|process|run) |\block (?:for|on) .*\b(?:taken|held|owned)\b|\block(?:file)? (?:is |was )?(?:already )?(?:held|taken|present|busy|exists)",
        "imager: cannot take the lease of pool 3",
        "the lock was released",
        weight=BROAD + 7,
    ),
    _broad(
        "auth",
        "auth",
        r"\b(?:tickets?|sessions?|tokens?|certificates?|keys?)\b.*\bno longer (?:valid|accepted)\b|\blog ?in again\b|\bnot on the allow ?list\b|\bno (?:right|permission|privilege)s? to\b|\b(?:token|password|certificate|licen[cs]e|key)s?\b.*\b(?:ran out|lapsed)\b|\b(?:tokens?|credentials?|passwords?|passphrases?|logins?|licen[cs]es?|api keys?|access keys?|secrets?)\b.*"
        r"\b(?:expired|invalid|denied|rejected|revoked|wrong|incorrect|missing|not (?:valid|accepted|set|found"
        r"|provided))\b|\b(?:invalid|expired|wrong|incorrect|bad|missing|no) (?:\w+ )?(?:tokens?|credentials?|passwords?"
        r"|passphrases?|licen[cs]e|api key|access key)\b|\b(?:not|un)[ -]?(?:authori[sz]ed|authenticated|permitted|entitled|allowed to)\b"
        r"|\bpermission to \S+ denied\b|\b(?:access|permission|authori[sz]ation) (?:was |is )?(?:denied|refused|missing|required)\b",
        "depot: the deploy token was not accepted",
        "token loaded",
        weight=BROAD + 4,
    ),
    _broad(
        "network",
        "network",
        rf"{_WIRE}.*\b(?:timed? ?-?out|reset|refused|unreachable|dropped|interrupted|aborted|disconnect\w*|hung up"
        r"|broken|lost|stalled|unexpectedly|incomplete|unresponsive|deadline exceeded|closed (?:before|by|prematurely)"
        r"|terminated)\b"
        r"|\b(?:downloads?|fetch|upload|transfer|connection|keyserver|handshake|clone|clon)(?:ing)?\b.*\bfailed\b"
        rf"|\bno servers? (?:suitable|could be reached)|\berrorCode=\d+ Timeout"
        rf"|\b(?:timed? ?-?out|timeout|deadline exceeded|terminated|lost|reset|refused|unreachable|disconnected|failed|failure|error|unable|cannot"
        rf"|could not|couldn't|can't) .*(?:{_TO_THE_WIRE}|\breach\b|\bbe reached\b|\bresolv(?:e|ing)\b)"
        r"|\bpeer\b.*\bclosed\b|\b(?:host|mirror|depot|server) \S+ (?:is |was )?(?:not reachable|unreachable)\b"
        r"|\b(?:unable to|could not|couldn't|cannot|can't|failed to) (?:establish|open|set up|negotiate) .*\b(?:sessions?|connections?"
        r"|channels?|links?|tunnels?)\b",
        "depot: lost the tunnel in the middle of the transfer",
        "connected to the mirror",
        weight=BROAD,
    ),
    _broad(
        "network",
        "network",
        r"\b(?:connection|session|stream|transfer)\b.*\b(?:terminated|closed|aborted|dropped|cut)\b.*\b(?:by|before|while|during)"
        r"\b",
        "depot: the connection was terminated by the remote host",
        "connection closed",
        weight=BROAD + 3,
    ),
    _broad(
        "unavailable",
        "unavailable",
        r"\b(?:service|server|api|endpoint|backend|hypervisor|upstream|cluster|broker|gateway|controller|scheduler)"
        r"s?\b.*\b(?:unavailable|overloaded|not (?:ready|responding|available|reachable)|unresponsive|maintenance"
        r"|internal error|5\d\d)\b|\b(?:try|trying) again (?:later|in)\b|\btemporar(?:y|ily) (?:error|failure|unavailable"
        r"|outage)|\b(?:BACKEND|SERVICE|SERVER|NODE|HOST)_DOWN\b|\bserver error\b|\bnot responding\b|\b(?:did|does) not (?:respond|answer)\b|\bcome back later\b|\bno \w+ (?:will be|is|are) (?:free|available)\b|\b(?:during|in) (?:a )?fail-?over\b|\b(?:in|under|down for) maintenance\b|\bno (?:available|free|idle|healthy|suitable|online) (?:\w+ )?(?:machines?|nodes?|hosts?|runners?"
        r"|agents?|workers?|executors?|slots?|instances?|hypervisors?)\b|\b(?:is|are|still) (?:starting up|loading|initiali[sz]ing|booting)\b",
        "depot: the broker is not ready",
        "the service is running",
        weight=BROAD + 3,
    ),
    _broad(
        "infrastructure",
        "infrastructure",
        r"\b(?:node|host|guest|board|device|bench|agent|runner|worker|executor|machine|instance|vm|pod|hypervisor|channel|builder|container)\b.*"
        r"\b(?:lost|disconnected|offline|went down|going down|evicted|preempted|crashed|died|disappeared|vanished|went away|gone away"
        r"|unhealthy|rebooted|reclaimed|(?:stopped|terminated|killed) by the (?:host|hypervisor|provider|cloud|platform))\b"
        r"|\b(?:checksum|hash|digest|md5|sha\d+|size)\w*\b.*\b(?:mismatch\w*|(?:did|do|does)(?: not|n't) match|differs?"
        r"|wrong|failed)\b|\b(?:corrupt(?:ed|ion)?|truncated|damaged)\b|\bsystem failure\b|\blost contact (?:with|to) .*\b(?:hypervisor|host|node|builder|agent|guest|vm)\b|\bsystem (?:will reboot|is going down|is shutting down)\b|/dev/\S+ (?:disappeared|vanished|went away)\b|\bpower[- ]cycled\b|\blost power\b|\bpower (?:loss|failure|outage)\b|\bwatchdog\b.*\breset\b|\bfailed (?:the )?(?:checksum|sha\d+|md5|hash|integrity)\b"
        r"|\b(?:hardware|machine check|i/o|bus|media|sector|ecc)\b.*\b(?:errors?|failure|fault)\b",
        "imager: builder 7 went away",
        "host builder7",
        weight=BROAD + 2,
    ),
    _broad(
        "dirty",
        "dirty",
        r"\balready (?:exists?|mounted|defined|registered|attached|present|initialized|allocated|in use|bound|running)\b"
        r"|\b(?:stale|left[- ]?overs?|orphan(?:ed)?|unclean|half[- ](?:installed|configured|written))\b"
        r"|\binconsistent state\b|\bnot (?:empty|clean)\b|\b(?:is|are|still) (?:busy|mounted|in use)\b",
        "imager: slot 3 is already attached",
        "attached slot 3",
        weight=BROAD + 1,
    ),
    _broad(
        "dependency",
        "dependency",
        r"\b(?:packages?|dependenc(?:y|ies)|modules?|librar(?:y|ies)|artifacts?|plugins?|versions?|crates?|gems?"
        rf"|requirements?|components?|providers?|releases?|images?)\b.*\b(?:{_GONE}|conflict\w*|incompatible|unsatisf\w*"
        r"|unresolv\w*|unmet|unknown)"
        r"|\bunresolvable\b|\b(?:needs?|requires?) \S+ ?(?:>=|<=|==|[=<>^~])\s?\S+.*\b(?:but|installed|found)\b|\bno (?:\w+ )?(?:refs?|candidates?|match(?:es)?|providers?|images?|boxes|releases?|versions?) (?:was |were )?(?:found"
        r"|available|for|matching)\b"
        r"|\bno (?:e?builds?|packages?|versions?|releases?) (?:of|to satisfy) |\bno (?:package|module|library|plugin|gem|image|role|collection)s? (?:called|named)\b"
        r"|\b(?:could not find|couldn't find|cannot find|can't find|can not find|unable to (?:find|locate|resolve"
        r"|install)|no (?:such|matching)|missing|failed to (?:install|resolve)|not find) (?:\w+ ){0,3}(?:packages?"
        r"|dependenc(?:y|ies)|modules?|librar(?:y|ies)|artifacts?|plugins?|versions?|crates?|gems?)\b",
        "depot: component frob-2 is not available for this release",
        "component found",
        weight=BROAD - 2,
    ),
    _broad(
        "killed",
        "killed",
        r"\b(?:killed|terminated|aborted|cancell?ed|interrupted|stopped) (?:by|on|with|from|after receiving) "
        r"|\b(?:process|daemon|job|task|command|child)\b.*\b(?:was killed|been killed|crashed|dumped core|disappeared"
        r"|died)\b|\bcaught signal\b",
        "imager: stopped by ops",
        "not killed",
        weight=BROAD + 1,
    ),
    _broad(
        "killed",
        "killed",
        r"\b(?:terminated|exited|died|quit|stopped|ended|closed) (?:abruptly|abnormally)\b|\bterminated unexpectedly\b",
        "imager: the helper exited abnormally",
        "the helper exited",
        weight=BROAD + 4,
    ),
    _broad(
        "stall",
        "stall",
        r"\bno output from .* for \d|\bno (?:output|progress|activity|heartbeat|sign of life) (?:for|in|within|since)\b|\b(?:seems|appears)(?: to be)?"
        r" (?:stuck|hung|hanging)|\b(?:is|got) stuck\b|\bnot making progress\b",
        "imager: no heartbeat for 15 minutes",
        "progress 15 %",
        weight=BROAD + 3,
    ),
    _broad(
        "timeout",
        "timeout",
        r"\btimed[ -]?out\b|\btime-?out\W*$|\b(?:time ?limit|deadline|time-?out) (?:was |has been )?(?:exceeded|reached"
        r"|expired|passed|waiting|after|error)\b"
        r"|\b(?:exceeded|reached|expired|hit|passed) .*\b(?:time-?out|time limit|deadline|allotted time|time budget)\b"
        r"|Timeout(?:Error|Exception|Expired)\b|\bdid not \w+ .*\b(?:within|in|after) \d+|\bno .* (?:after|within) \d+ ?(?:s|sec|min)"
        r"|\b(?:exceeded|over|overran|used up) .*\b(?:budget|limit|allowance) of \d+ ?(?:s|sec|min|m|h|hours?|minutes?|seconds?)\b|\bdeadline\b.*\b(?:passed|expired|over)\b|\btook (?:too long|longer than)\b|\bgave up (?:waiting|after)\b|\bgiving up after\b|\bafter \d+ ?(?:s|sec|seconds|m|min|minutes|h|hours)\b.*\bgiving up\b|\bwaited (?:too long|\d+)",
        "imager: gave up waiting for the guest",
        "finished in time",
        weight=BROAD - 4,
    ),
    _broad(
        "config",
        "config",
        r"\bexpected (?:an? |the )?(?:integer|string|boolean|number|list|mapping|object|array|int|bool|map|null|float|type|format)\b.*"
        r"\b(?:got|found|but)\b|\bParseError\b|\bcertificate\b.*\b(?:not trusted|untrusted)\b|\bdid you mean\b|\bnot understood\b|\berror while parsing\b|\bno (?:profile|target|section|setting|option|environment|role|template) (?:called|named)\b|\bunparsed line\b",
        "layout.yaml: field boot: expected integer, got text",
        "expected result",
        weight=BROAD + 2,
    ),
    _broad(
        "config",
        "config",
        r"\b(?:invalid|unknown|unrecogni[sz]ed|unsupported|undefined|unexpected|illegal|malformed|bad|wrong|duplicate"
        r"|missing|ambiguous|obsolete|mandatory|required)\b.*\b(?:options?|arguments?|parameters?|keys?|settings?|values?"
        r"|directives?|sections?|fields?|variables?|format|syntax|propert(?:y|ies)|attributes?|types?|names?|commands?"
        r"|files?|paths?|profiles?|flags?|tokens?|identifiers?|statements?|characters?|elements?|formats?)\b"
        r"|\b(?:option|argument|parameter|setting|value|directive|section|field|variable|property|attribute|type|command|profile|flag|identifier|statement)s?"
        r" .*\b(?:is |are |was )?(?:missing|unknown|undefined|invalid|unsupported|duplicated?|obsolete|ambiguous|malformed|unrecogni[sz]ed)\b"
        r"|\b(?:is|was|are|were) not (?:defined|set|specified|configured|supported|allowed|valid|recogni[sz]ed|declared"
        r"|a valid|a directory|a file|executable|writable|readable|signed)\b|\bmust (?:be|not|have|specify|contain|exist)\b"
        r"|\b(?:cannot|can't|could not|couldn't|failed to|unable to) (?:find|open|read|parse|load|write|create|locate"
        r"|access|stat|execute|compile|decode|render|evaluate)\b|\b(?:does not|doesn't|did not) (?:exist|support|match"
        r"|contain|accept)\b|\bno such\b|\bnot found\b|\bexpected .{1,30} (?:after|before|at)\b|\b(?:syntax|parse|parsing|compile|compilation|template|configuration) errors?\b",
        "imager: the layout must specify a boot slot",
        "the layout was read",
        weight=BROAD - 6,
    ),
)
