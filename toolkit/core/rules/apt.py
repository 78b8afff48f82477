"""Packages of Debian and its kin: apt, dpkg, debootstrap, mmdebstrap."""

from __future__ import annotations

from typing import Final

from toolkit.core.rules.rule import CAUSE, SYMPTOM, VAGUE, Rule

RULES: Final = (
    # ---- locks
    Rule(
        "apt.lock",
        "contention",
        (
            r"(?i)Could not get lock /|Unable to (?:acquire the dpkg frontend lock|lock (?:directory"
            r"|the administration directory|the download directory|the list directory))|dpkg frontend lock (?:is "
            r"|was )?(?:locked|held)|dpkg: error: dpkg (?:frontend |database )?lock.*(?:locked|held)"
            r"|Failed to lock (?:apt for exclusive operation|/var/lib/(?:apt|dpkg))"
            r"|Waiting for cache lock: Could not get lock"
        ),
        "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1234 (unattended-upgr)",
        "lock released",
        weight=CAUSE + 5,
        unless=r"(?i)Permission denied|are you root|Read-only|No such file",
    ),
    Rule(
        "apt.not_root",
        "config",
        (
            r"(?i)Could not (?:open|get) lock .*(?:Permission denied|\(13)|are you root\?"
            r"|requested operation requires superuser privilege|This command has to be run (?:with superuser"
            r"|under the root)|must be (?:run as|root)|you need to be root|need root privileges"
            r"|requires? root privileges"
        ),
        "E: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission denied)",
        "running as root",
        weight=CAUSE + 6,
    ),
    Rule(
        "dpkg.interrupted",
        "dirty",
        (
            r"(?i)dpkg was interrupted, you must manually run|dpkg --configure -a"
            r"|There are unfinished transactions remaining|rpmdb: .*(?:DB_RUNRECOVERY|recovery|corrupt)"
            r"|rpmdb open failed|error: db5 error|cannot open Packages (?:index|database)"
            r"|is in a very bad inconsistent state|apt --fix-broken install"
        ),
        "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.",
        "dpkg configured",
        weight=CAUSE + 6,
    ),
    Rule(
        "dpkg.files_gone",
        "dirty",
        (
            r"dpkg: (?:unrecoverable fatal )?error.*(?:files list file for package .* is missing"
            r"|parsing file '/var/lib/dpkg|updating .*/var/lib/dpkg)"
            r"|E: (?:The package lists or status file could not be parsed|Encountered a section with no Package"
            r"|Problem with MergeList)"
        ),
        "E: Problem with MergeList /var/lib/apt/lists/deb.example_dists_bookworm_main_binary-amd64_Packages",
        "dpkg ok",
        weight=CAUSE + 4,
    ),
    # ---- apt: fetching (these hide behind later symptoms)
    Rule(
        "apt.fetch_network",
        "network",
        (
            r"(?:E|W|Err).*(?:Failed to fetch|Unable to connect to|Cannot initiate the connection"
            r"|Could not connect to).*(?:Could not connect|Unable to connect|Connection (?:failed|timed out|refused"
            r"|reset)|Cannot initiate|Undetermined Error|Network is unreachable|Error reading from server"
            r"|Data socket timed out)|Unable to connect to \S+:(?:https?|\d+):?$|^ +(?:Could not connect to"
            r"|Cannot initiate the connection to|Unable to connect to|Connection (?:failed|timed out)"
            r"|Error reading from server|Could not handshake|Undetermined Error)"
        ),
        (
            "E: Failed to fetch http://deb.example/dists/bookworm/InRelease  Could not connect to deb.example:80"
            " (203.0.113.7). - connect (111: Connection refused)"
        ),
        "E: Failed to fetch http://deb.example/pool/l/less.deb  404  Not Found",
        weight=CAUSE + 2,
    ),
    Rule(
        "apt.hash_mismatch",
        "infrastructure",
        (
            r"Hash Sum mismatch|File has unexpected size|Mirror sync in progress|does not match the expected (?:size"
            r"|hash)|(?i:unexpected size \(\d+ != \d+\))|Writing more data than expected"
        ),
        "E: Failed to fetch http://deb.example/pool/l/less_590.deb  Hash Sum mismatch",
        "Hash sums match",
        weight=CAUSE + 3,
    ),
    Rule(
        "apt.key_missing",
        "config",
        (
            r"NO_PUBKEY|EXPKEYSIG|REVKEYSIG|BADSIG|KEYEXPIRED|signatures couldn't be verified because the public key"
            r"|(?i:GPG error: .*signatures? (?:were|was|is|are) (?:not valid|invalid))|Sub-process /usr/bin/(?:sqv"
            r"|gpgv) returned an error|no keyring installed|the key\(s\) in the keyring .* are ignored"
        ),
        (
            "W: GPG error: http://deb.example bookworm InRelease: The following signatures couldn't be verified"
            " because the public key is not available: NO_PUBKEY 6ED0E7B82643E131"
        ),
        "Good signature",
        weight=CAUSE + 3,
    ),
    Rule(
        "apt.release_changed",
        "config",
        (
            r"changed its '(?:Suite|Codename|Version|Origin|Label)' value|does not have a Release file"
            r"|Malformed entry \d+ in|The list of sources could not be read|Type '.*' is not known on line"
            r"|Conflicting values set for option Signed-By|(?i:suite .* is not (?:supported|known))"
            r"|The value '.*' is invalid for APT::Default-Release"
        ),
        "E: The repository 'http://ppa.example/ubuntu noble Release' does not have a Release file.",
        "the release file was fetched",
        weight=CAUSE - 8,
    ),
    Rule(
        "apt.unsigned",
        "config",
        (
            r"E: The repository '.*' is (?:not|no longer) signed|E: Unsigned repository|(?i:packages (?:could|can)not be authenticated"
            r"|There were unauthenticated packages)|WARNING: The following packages cannot be authenticated"
        ),
        "E: The repository 'http://deb.example/debian bookworm InRelease' is not signed.",
        "the repository is signed",
        weight=SYMPTOM,
    ),
    # ---- apt: asking for the wrong thing
    Rule(
        "apt.unmet",
        "dependency",
        r"^ .*(?:Depends|Conflicts|Breaks|PreDepends|Recommends): \S.* but .*(?:is to be installed|is not installable|is not going to be installed|is installed)",
        " app : Depends: libssl3 (>= 3.2) but 3.0.2 is to be installed",
        "Depends: libc6",
    ),
    Rule(
        "apt.unmet",
        "dependency",
        (
            r"The following packages have unmet dependencies"
            r"|Unable to correct problems, you have held broken packages|Unmet dependencies\. Try"
            r"|but it is not (?:installable|going to be installed)|dependency problems - leaving unconfigured"
            r"|pkgProblemResolver::Resolve generated breaks|unmet dependenc(?:y|ies)\b|E: Broken packages"
            r"|Depends: \S+ .*but .* is to be installed"
        ),
        "E: Unable to correct problems, you have held broken packages.",
        "dependencies resolved",
        weight=CAUSE - 4,
    ),
    Rule(
        "apt.no_candidate",
        "dependency",
        (
            r"E: (?:Unable to locate package|Can't find a source to download|Package '.*' has no installation candidate|Couldn't find any package by"
            r"|Version '.*' for '.*' was not found|Package .* is a virtual package|No packages found)"
            r"|No package matching '.*' is available|Package .* is not available, but is referred to"
        ),
        "E: Unable to locate package htpo",
        "located package",
        weight=SYMPTOM + 2,
    ),
    Rule(
        "apt.no_candidate",
        "dependency",
        (
            r"Couldn't find these debs:|E: Couldn't find these|No such script: /usr/share/debootstrap"
            r"|E: cannot find package|dpkg: error: (?:cannot access archive|requested operation)"
            r"|dpkg-deb: error: .* is not a (?:Debian format archive|debian format)"
        ),
        "E: Couldn't find these debs: no-such-package",
        "debs found",
        weight=SYMPTOM + 20,
    ),
    Rule(
        "dpkg.conflict",
        "dependency",
        (
            r"trying to overwrite '.*', which is also in package|conflicting packages - not installing"
            r"|dpkg: error.*conflicts? with|dpkg: dependency problems prevent"
            r"|file .* from install of .* conflicts with file from package|(?i:detected file conflict"
            r"|conflicting files)"
        ),
        " trying to overwrite '/usr/bin/less', which is also in package less 590-2",
        "overwriting file",
        weight=CAUSE + 2,
    ),
    Rule(
        "dpkg.tempfail",
        "unavailable",
        r"(?:script subprocess|subprocess|script) (?:.* )?(?:returned error )?exit (?:status|code) 75\b|EX_TEMPFAIL",
        " installed agent package post-installation script subprocess returned error exit status 75",
        " installed agent package post-installation script subprocess returned error exit status 1",
        weight=CAUSE - 6,
    ),
    Rule(
        "dpkg.script",
        "dependency",
        (
            r"(?:pre|post)-(?:installation|removal) script (?:subprocess )?(?:returned error|failed)"
            r"|(?:maintainer script|subprocess) .* returned error exit status|%(?:pre|post|preun"
            r"|posttrans)\w*\(.*\) scriptlet failed|(?:Error|error) in (?:PRE|POST)\w* scriptlet"
            r"|scriptlet failed, exit status|subprocess installed .* script was killed"
        ),
        "warning: %post(kernel-core-5.14) scriptlet failed, exit status 1",
        "scriptlet finished",
        weight=SYMPTOM + 10,
    ),
    Rule(
        "dpkg.failed",
        "dependency",
        (
            r"Sub-process /usr/bin/dpkg returned an error code|Errors were encountered while processing:"
            r"|dpkg: error processing (?:package|archive)|E: Sub-process .* (?:received|returned)"
        ),
        "E: Sub-process /usr/bin/dpkg returned an error code (1)",
        "dpkg processed packages",
        weight=SYMPTOM - 6,
    ),
    Rule(
        "apt.fetch",
        "network",
        (
            r"E: (?:Unable to fetch some archives|Failed to fetch|Some files failed to download)"
            r"|W: (?:Failed to fetch|Some index files failed to download)|E: Some index files failed"
        ),
        "E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?",
        "Fetched 5 MB",
        weight=SYMPTOM + 25,
        unless=r"40[134]|407|NO_PUBKEY|GPG|not signed|rename failed|No space",
    ),
    Rule(
        "apt.aborted",
        "config",
        (
            r"^Abort\.$|E: Packages were (?:downgraded|removed) and -y was used|E: Essential packages were removed"
            r"|E: Trivial Only specified|Do you want to continue\? \[Y/n\] Abort|E: Held packages were changed"
            r"|dpkg-reconfigure: unable to re-open stdin|end of file on stdin at conffile prompt"
        ),
        "Do you want to continue? [Y/n] Abort.",
        "Do you want to continue? [Y/n] y",
        weight=CAUSE,
    ),
    # ---- bootstrap
    Rule(
        "bootstrap.fetch",
        "network",
        (
            r"E: Failed getting release file|E: Couldn't download (?:packages|release|dists)"
            r"|E: Failed (?:to download|getting)|Retrieving .* failed"
        ),
        "E: Failed getting release file http://deb.example/debian/dists/bookworm/Release",
        "I: Retrieving Release",
        weight=SYMPTOM + 20,
    ),
    Rule(
        "bootstrap.hash",
        "infrastructure",
        r"W: .*(?:was corrupt|checksum (?:error|mismatch))|E: .*corrupt(?:ed)?(?: package| deb| file)",
        "W: http://deb.example/pool/a/adduser.deb was corrupt",
        "W: not corrupted",
        weight=CAUSE,
        unless=r"not corrupted",
    ),
    Rule(
        "bootstrap.release_signature",
        "config",
        (
            r"E: (?:Release signed by unknown key|Invalid Release (?:file|signature)|Unable to verify"
            r"|Keyring file not available)|E: No such (?:script|suite)"
        ),
        "E: Release signed by unknown key (key id 0E98404D386FA1D9)",
        "I: Valid Release signature",
        weight=CAUSE,
    ),
    Rule(
        "bootstrap.architecture",
        "config",
        (
            r"can neither be executed natively nor via qemu|binfmt_misc.*(?:not (?:supported|available)|fail)"
            r"|(?i:exec format error)|qemu-\w+-static.*(?:not found|missing)"
        ),
        "E: arm64 can neither be executed natively nor via qemu user emulation with binfmt_misc",
        "binfmt_misc mounted",
        weight=CAUSE + 3,
        unless=r"^W:",
    ),
    Rule(
        "bootstrap.hook",
        "config",
        (
            r"E: setup failed: E: command failed|E: (?:mmdebstrap|debootstrap|second stage) failed to run"
            r"|E: (?:run_chroot|hook|customize-hook).*failed|W: Failure (?:trying to run|while (?:installing"
            r"|configuring))"
        ),
        'E: setup failed: E: command failed: chroot "$1" useradd app',
        "I: running --customize-hook",
        weight=SYMPTOM - 4,
    ),
    Rule(
        "apt.failed",
        "dependency",
        (
            r"^E: (?:apt(?:-get)? (?:update|install|download)|Command) .*failed|^E: Internal Error"
            r"|(?i:apt-get .* (?:returned|failed with) (?:non-zero|exit))"
        ),
        "E: apt-get update --error-on=any failed",
        "apt-get update finished",
        weight=VAGUE,
    ),
)
