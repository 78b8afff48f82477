"""Who may do what: ssh, git, keys, tokens, file permissions."""

from __future__ import annotations

from typing import Final

from toolkit.core.rules.rule import CAUSE, PHRASE, SYMPTOM, Rule

RULES: Final = (
    Rule(
        "ssh.denied",
        "auth",
        (
            r"Permission denied \((?:publickey|password|keyboard|gssapi)|(?i:Too many authentication failures"
            r"|no supported authentication methods|ssh: unable to authenticate|Load key .*(?:invalid format"
            r"|bad permissions|error in libcrypto)|UNPROTECTED PRIVATE KEY FILE"
            r"|Authentication refused: bad ownership|sign_and_send_pubkey: (?:signing failed|no mutual))"
            r"|Permission denied, please try again"
        ),
        "deploy@build7.example: Permission denied (publickey,password).",
        "bash: ./build.sh: Permission denied",
        weight=CAUSE + 5,
    ),
    Rule(
        "ssh.host_key",
        "auth",
        (
            r"(?i)Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED"
            r"|No (?:\w+ )?host key is known for|authenticity of host .* can't be established"
            r"|Host key (?:for .* has changed|mismatch|is not trusted)|knownhosts: key (?:mismatch|is unknown)"
        ),
        "Host key verification failed.",
        "host key added",
        weight=CAUSE + 5,
        unless=r"(?i)warning: permanently added",
    ),
    Rule(
        "ssh.closed",
        "network",
        (
            r"(?i)kex_exchange_identification|Connection (?:closed|reset) by .{1,80} port \d+"
            r"|client_loop: send disconnect|ssh_exchange_identification|Timeout, server .* not responding"
            r"|packet_write_wait: Connection|mux_client_\w+: .*(?:broken|failed)|ssh: handshake failed: (?:EOF"
            r"|read tcp)|rsync error: (?:unexplained error|timeout|error in socket|received SIG)"
            r"|rsync: connection unexpectedly closed|Shared connection to .* closed|lost connection$"
            r"|scp: Connection closed"
        ),
        "kex_exchange_identification: read: Connection reset by peer",
        "Connection to build7 established",
        weight=CAUSE - 4,
        unless=r'(?i)changed|"rc": 0',
    ),
    Rule(
        "ssh.options",
        "config",
        (
            r"(?i)Bad configuration option|no matching (?:host key type|key exchange method|cipher|MAC) found"
            r"|Bad owner or permissions on .*ssh|Identity file .* not accessible|ssh: .*: bad (?:option|port)"
        ),
        "Unable to negotiate with 192.0.2.1 port 22: no matching host key type found. Their offer: ssh-rsa",
        "ssh config read",
        weight=CAUSE,
        unless=r"(?i)^warning",
    ),
    Rule(
        "git.auth",
        "auth",
        (
            r"(?i)fatal: (?:Authentication failed|could not read (?:Username|Password)|unable to get password)"
            r"|remote: (?:Invalid username or password|HTTP Basic: Access denied|Permission to .* denied"
            r"|Write access to repository not granted|Support for password authentication was removed"
            r"|The project you were looking for could not be found)|terminal prompts disabled"
            r"|The requested URL returned error: 40[13]|GH00[16]|protected branch hook declined"
            r"|insufficient permission for adding|fatal: detected dubious ownership|deploy key .*(?:read.only"
            r"|denied)"
        ),
        "fatal: could not read Username for 'https://git.example': terminal prompts disabled",
        "remote: Enumerating objects: 5, done.",
        weight=CAUSE + 5,
    ),
    Rule(
        "git.not_found",
        "dependency",
        (
            r"(?i)fatal: (?:repository '.*' (?:not found|does not (?:exist|appear))|Remote branch \S+ not found"
            r"|couldn't find remote ref|'.*' does not appear to be a git repository|reference is not a tree"
            r"|not a valid object name|bad (?:revision|object)|ambiguous argument|invalid reference)"
            r"|remote: (?:Repository not found|Not Found)|error: (?:pathspec '.*' did not match"
            r"|Server does not allow request for unadvertised object|src refspec .* does not match any)"
            r"|fatal: needed a single revision|Unable to find current revision in submodule"
            r"|upload-pack: not our ref"
        ),
        "fatal: Remote branch release-9 not found in upstream origin",
        "branch found",
        weight=CAUSE,
    ),
    Rule(
        "lfs.quota",
        "resource",
        r"(?i)over its (?:data|storage|bandwidth) quota|(?:bandwidth|lfs|storage) (?:quota|limit) (?:has been |was |is )?(?:exceeded|reached|used up)",
        "batch response: This repository is over its data quota.",
        "Git LFS: (3 of 3 files) 12 MB",
        weight=CAUSE + 4,
    ),
    Rule(
        "lfs.missing",
        "dependency",
        r"(?i)Object does not exist on the server|\[404\] Object|lfs.{0,40}missing objects?\b",
        "Error downloading object: a.bin (91b3): Smudge error: [404] Object does not exist on the server",
        "Downloading a.bin (4 MB)",
        weight=CAUSE + 4,
    ),
    Rule(
        "license.none",
        "unavailable",
        r"(?i)licensed number of users already reached|no (?:more |free )?(?:floating )?licen[cs]es? (?:are |is |seats? )?(?:left|available|free)|all licen[cs]es (?:are )?(?:in use|reserved|checked out)|licen[cs]es? (?:pool )?(?:is |are )?exhausted",
        "License checkout failed: Licensed number of users already reached.",
        "license checked out",
        weight=CAUSE + 2,
    ),
    Rule(
        "license.server",
        "network",
        r"(?i)(?:cannot|could not|can't|failed to|unable to) (?:connect|talk|reach)(?: to)? (?:the )?licen[cs]e (?:server|manager|daemon)|FlexNet Licensing error:-(?:15|16|96|97)\b",
        "Cannot connect to license server system.",
        "license server answered",
        weight=CAUSE + 2,
    ),
    Rule(
        "git.remote",
        "network",
        (
            r"(?i)fatal: (?:unable to access|unable to connect to|read error|protocol error|the remote end"
            r"|early EOF|index-pack failed|fetch-pack|Could not read from remote|unable to look up)"
            r"|error: RPC failed|fatal: expected flush|git-upload-pack: .*(?:timeout|failed)"
            r"|smudge filter lfs failed|batch (?:request|response): |LFS: .*(?:timeout|connection)"
            r"|clone of '.*' into submodule path .* failed"
        ),
        "fatal: unable to connect to git.example:",
        "fatal: not a git repository",
        weight=SYMPTOM + 12,
        unless=r"40[134]|5\d\d|SSL certificate|certificate verif",
    ),
    Rule(
        "git.config",
        "config",
        (
            r"(?i)fatal: not a git repository|No url found for submodule|Please tell me who you are|fatal: empty ident name"
            r"|CONFLICT \((?:content|modify|add)|Automatic merge failed|error: patch failed|patch does not apply"
            r"|error: failed to push some refs|non-fast-forward|Hunk #\d+ FAILED|\d+ out of \d+ hunks? FAILED"
        ),
        "error: patch failed: src/main.c:14",
        "patch applied",
        weight=PHRASE + 9,
    ),
    Rule(
        "signature.invalid",
        "config",
        r"(?i)\bno matching signatures?\b|\b(?:invalid|bad|untrusted|unverified|unknown) (?:\w+ )?signatures?\b|signature (?:verification|check|validation) (?:has )?failed|signature (?:is )?(?:invalid|not valid|not trusted)|could not verify (?:the )?signature|Security Violation\b",
        "Error: no matching signatures: invalid signature",
        "signature verified",
        weight=PHRASE + 9,
        unless=r"(?i)SignatureDoesNotMatch|warning|Authorization header|request signature|^E  +|dkms|taint",
    ),
    Rule(
        "auth.credentials",
        "auth",
        (
            r"(?i)(?:invalid|bad|incorrect|wrong|missing|expired|no|unknown) (?:credentials?|password|passphrase"
            r"|api[- ]?key|(?:access |auth(?:entication)? |bearer |refresh )?token|login|access key"
            r"|username or password)\b|(?:token|credentials?|session|key|secret) (?:has |have |is "
            r"|are )?(?:expired|revoked|invalid|not valid|been revoked)|authentication (?:failed|failure|required"
            r"|error|is required|credentials)|\bunauthori[sz]ed\b|not authori[sz]ed|authori[sz]ation (?:failed"
            r"|required|denied)|could not (?:find|load) (?:any )?(?:default )?credentials|No valid credential"
            r"|Unable to locate credentials|login (?:failed|incorrect)|Access Denied\b|AccessDenied|access (?:is "
            r"|was )?denied|insufficient (?:permissions|privileges|scope|authentication)"
            r"|permission[_ ]denied.*(?:api|iam|role|bucket|project)|does not have (?:permission|access"
            r"|the required|authorization)|forbidden:? |denied: (?:requested access|access|permission)"
            r"|you (?:do not|don't) have (?:permission|access)|no basic auth credentials|need to log ?in"
            r"|login required|access key id you provided does not exist|unable to authenticate you|anonymous (?:caller|user|access) (?:does not|is not|cannot|denied)|pinentry|gpg: (?:signing|decryption) failed|No secret key|No key available with this passphrase|kinit: |GSSAPI (?:Error"
            r"|failure)|Kerberos.*(?:expired|error)|\bEAUTH\b"
        ),
        "login failed: invalid credentials for user deploy",
        "credentials loaded",
        weight=PHRASE + 14,
        unless=r"(?i)login prompt|unauthori[sz]ed\.[a-z]|timed out|open\(|mkdir|/dev/|warning|cannot open|E  +|assert|sshd?\[",
    ),
    Rule(
        "file.denied",
        "config",
        (
            r"(?i)permission denied|\baccess to .* (?:is |was )?denied\b|\bEACCES\b|\bEPERM\b|operation not permitted|PermissionError"
            r"|AccessDeniedException|not permitted to|setns|unshare: .*failed"
        ),
        "cp: cannot create regular file '/etc/motd': Permission denied",
        "permissions set",
        weight=SYMPTOM + 8,
        unless=r"(?i)\(publickey|warning|^W:|ignor|find: ",
    ),
)
