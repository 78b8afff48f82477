"""Packages of Fedora, Red Hat and others: dnf, yum, rpm, zypper, pacman, apk, snap."""

from __future__ import annotations

from typing import Final

from toolkit.core.rules.rule import CAUSE, PHRASE, SYMPTOM, Rule

RULES: Final = (
    Rule(
        "rpm.lock",
        "contention",
        (
            r"(?i)Another app is currently holding the (?:yum|dnf) lock|Existing lock /var/run/yum\.pid"
            r"|waiting for process with pid \d+ to finish|can't create transaction lock|rpmdb.*(?:lock"
            r"|Resource temporarily unavailable)|transaction lock on .*(?:Resource temporarily|failed)"
            r"|System management is locked by the application with pid|unable to lock database"
            r"|ERROR: Unable to lock database|another (?:copy|instance) (?:of \S+ )?is (?:already )?running"
            r"|snap .* has .* change in progress"
        ),
        "Another app is currently holding the yum lock; waiting for it to exit...",
        "yum lock released",
        weight=CAUSE + 3,
    ),
    # ---- dnf, yum, rpm
    Rule(
        "dnf.mirrors_404",
        "config",
        (
            r"(?i)(?:mirrorlist|metalink).{0,200}(?:\b404\b|Not Found)|(?:Status code: 404|HTTP Error 404"
            r"|returned error: 404).{0,160}(?:repodata|repomd|mirrorlist|metalink)"
            r"|Could not retrieve mirrorlist .*error was.*(?:14.*404|404)|No URLs in mirrorlist|None of (?:the"
            r"|these) .*mirrors? .*404|The mirrorlist (?:is empty|has no)|removing mirrorlist with no valid mirrors"
        ),
        (
            "Errors during downloading metadata for repository 'base': - Status code: 404 for"
            " http://mirror.example/8/BaseOS/repodata/repomd.xml"
        ),
        "Using metalink",
        weight=CAUSE + 6,
    ),
    Rule(
        "dnf.mirrors",
        "network",
        (
            r"(?i)failed to synchronize all databases|All mirrors were (?:already )?tried|No more mirrors to try|Cannot prepare internal mirrorlist"
            r"|Could not retrieve mirrorlist|Failed to download metadata for repo|Cannot download repomd\.xml"
            r"|Failure: repodata/repomd\.xml|Trying other mirror\.|Error(?:s)? (?:during"
            r"|while) downloading (?:metadata|packages)|Cannot find a valid baseurl for repo|Curl error \((?:6|7|16"
            r"|18|28|35|52|55|56|92)\)|Failed to synchronize cache for repo|Error: Failed to download metadata"
            r"|Interrupted by .*download|Timeout exceeded when accessing|Cannot retrieve (?:repository )?(?:metalink|metadata)"
        ),
        (
            "Error: Failed to download metadata for repo 'appstream': Cannot download repomd.xml: Cannot download"
            " repodata/repomd.xml: All mirrors were tried"
        ),
        "Metadata cache created.",
        weight=CAUSE - 3,
        unless=r"No URLs|\b40[1347]\b|Curl error \((?:60|77|58|37)\)|expired|GPG",
    ),
    Rule(
        "dnf.certificate",
        "config",
        r"Curl error \((?:60|77|58)\)",
        (
            "Curl error (60): SSL peer certificate or SSH remote key was not OK for"
            " https://mirror.example/repodata/repomd.xml"
        ),
        "Curl error (28): Timeout was reached",
        weight=CAUSE + 2,
    ),
    Rule(
        "dnf.file_repo",
        "config",
        r"Curl error \(37\)|Couldn't (?:read|open) (?:a )?file.*(?:for )?file:///",
        "Curl error (37): Couldn't read a file:// file for file:///mnt/iso/repodata/repomd.xml",
        "Curl error (28): Timeout was reached",
        weight=CAUSE + 2,
    ),
    Rule(
        "dnf.checksum",
        "infrastructure",
        (
            r"(?i)Downloading successful, but checksum doesn't match|Checksum (?:error|mismatch|doesn't match)"
            r"|Package does not match intended download|repomd\.xml does not match metalink|Bad checksum"
            r"|digests? SIGNATURES NOT OK|Payload digest.*(?:mismatch|BAD)|\[Errno -1\]"
        ),
        (
            "[MIRROR] foo.rpm: Downloading successful, but checksum doesn't match. Calculated: 12(sha256) "
            " Expected: 34(sha256)"
        ),
        "checksum ok",
        weight=CAUSE,
    ),
    Rule(
        "dnf.gpg",
        "config",
        (
            r"(?i)GPG key (?:retrieval failed|is not installed|at .* is already installed but they are not correct)"
            r"|Public key for .* is not installed|package is not signed|is (?:unknown|marginal) trust|Error: GPG check FAILED|GPG check failed|Failing package is:"
            r"|Signature.*NOKEY.*(?:error|fail)|repomd\.xml signature could not be verified"
            r"|the GPG keys listed for the .* repository .* not correct|Couldn't open file .*RPM-GPG-KEY"
        ),
        "Error: GPG check FAILED",
        "GPG key imported",
        weight=CAUSE + 2,
    ),
    Rule(
        "rpm.bad_file",
        "dependency",
        r"(?i)not an rpm package|: (?:not|is not) a valid (?:rpm|deb|package)\b|: unsupported RPM package version",
        "error: agent.rpm: not an rpm package (or package manifest)",
        "agent.rpm: digests SIGNATURES OK",
    ),
    Rule(
        "rpm.build_needs",
        "dependency",
        r"(?i)failed build dependencies|^\s+\S.* is needed by \S+-\d|unmet build dependencies|unsatisfied build[- ]dep",
        "error: Failed build dependencies:",
        "build dependencies installed",
        weight=CAUSE + 1,
    ),
    Rule(
        "dnf.conflict",
        "dependency",
        r"^\s+\S.* is needed by (?:\(installed\) )?\S+-\d",
        "\tlibssl.so.10()(64bit) is needed by agent-3.1-4.x86_64",
        "is needed by nobody",
        weight=CAUSE + 2,
    ),
    Rule(
        "dnf.no_match",
        "dependency",
        (
            r"(?i)Unable to find a match:|No match for argument|No package .* available\.|nothing to do\.? *Error"
            r"|No matching (?:packages?|repo|modules?) to (?:modify|list|install)|Missing packages?:|Nothing matches"
            r"|'.*' not found in package names|target not found:|unable to select packages|no provider (?:of|for) "
            r"|No candidates? (?:found )?for|Packages? not found:|Module or Group '.*' (?:is not available"
            r"|does not exist)|There is no installed groups file|Missing groups or modules"
        ),
        "Error: Unable to find a match: htpo",
        "match found",
        weight=SYMPTOM + 20,
    ),
    Rule(
        "dnf.conflict",
        "dependency",
        (
            r"(?i)nothing provides .+|Problem(?: \d+)?: (?:package|conflicting|cannot install|problem with)"
            r"|cannot install (?:both|the best (?:update )?candidate)|conflicting requests|package .* (?:requires"
            r"|conflicts with) .*(?:but none|provided by)|Error: Transaction (?:check|test) error"
            r"|Failed dependencies:|error: Failed dependencies|is needed by .*\.rpm|unresolvable package"
            r"|Depsolve Error|Error: Package: \S+ \(|installed package .* obsoletes"
            r"|package .* is (?:already installed|filtered out by (?:modular|exclude))|breaks dependency '"
        ),
        "  - nothing provides libfoo.so.1()(64bit) needed by bar-1.0-1.el9.x86_64",
        "Dependencies resolved.",
        weight=CAUSE - 6,
    ),
    Rule(
        "dnf.subscription",
        "auth",
        (
            r"(?i)This system is not registered (?:with|to)|Unable to (?:read consumer identity"
            r"|authenticate.*subscription)|no (?:enabled|available) subscriptions"
            r"|subscription-manager.*(?:Invalid|Unauthorized|expired)|entitlement.*(?:expired|revoked)"
        ),
        "This system is not registered with an entitlement server. You can use subscription-manager to register.",
        "subscription attached",
        weight=SYMPTOM + 6,
    ),
    Rule(
        "dnf.repo_unknown",
        "config",
        (
            r"(?i)There are no enabled (?:repositories|repos)|no such repository is defined|Unknown repo:"
            r"|Error: (?:Cannot find|No matching repo|Repository .* (?:not found|is not defined))"
            r"|Repository '.*' (?:is invalid|not found by)|Bad id for repo"
        ),
        'Error: There are no enabled repositories in "/etc/yum.repos.d"',
        "3 repositories enabled",
        weight=SYMPTOM,
    ),
    Rule(
        "dnf.disk",
        "resource",
        (
            r"(?i)At least \d+ ?[KMG]B more space needed on"
            r"|installing package .* needs \d+ ?[KMG]?i?B (?:more space )?on the|insufficient space (?:in"
            r"|on) download directory|needs .* inodes on the|You don't have enough free space in /"
            r"|E: You don't have enough free space"
        ),
        "Error Summary: At least 120MB more space needed on the / filesystem.",
        "enough space on /",
        weight=CAUSE + 9,
    ),
    Rule(
        "rpm.scriptlet",
        "config",
        (
            r"rpmbuild.*(?:error|Bad exit status)|error: Bad exit status from|RPM build errors:"
            r"|error: .*spec(?: file)?.*(?:line \d+|parse)|error: Installed \(but unpackaged\) file\(s\) found"
            r"|error: File not found: "
        ),
        "error: Bad exit status from /var/tmp/rpm-tmp.8mCzlq (%build)",
        "rpmbuild finished",
        weight=PHRASE,
    ),
    Rule(
        "apk.fetch",
        "unavailable",
        r"fetching \S+: temporary error|temporary error \(try again",
        "WARNING: fetching https://mirror.example/v3.20/main: temporary error (try again later)",
        "fetch https://mirror.example/v3.20/main/x86_64/APKINDEX.tar.gz",
        weight=CAUSE + 10,
        unless=r"(?i)\bignoring\b",
    ),
    Rule(
        "packages.other",
        "dependency",
        (
            r"^error: failed (?:to prepare transaction|to commit transaction|retrieving file)"
            r"|No provider of '.*' found|error: target not found|ERROR: \S+ \(no such package\)"
            r"|(?i:error: unable to satisfy dependencies|unsatisfiable constraints)|\(no such package\)"
        ),
        "error: failed to prepare transaction (could not satisfy dependencies)",
        "transaction prepared",
        weight=SYMPTOM + 10,
    ),
)
