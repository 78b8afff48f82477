"""Containers and registries: docker, podman, buildah, skopeo, kubernetes, helm."""

from __future__ import annotations

from typing import Final

from toolkit.core.rules.rule import CAUSE, PHRASE, VAGUE, Rule

RULES: Final = (
    Rule(
        "registry.local",
        "dependency",
        (
            r"(?:initializing source|pinging container registry|reading manifest|pull access denied for"
            r"|Get \\?\"https?://)\S* ?(?:docker://)?localhost(?::\d+)?/"
        ),
        (
            "Error: initializing source docker://localhost/base:1: pinging container registry localhost: Get"
            ' "https://localhost/v2/": dial tcp 127.0.0.1:443: connect: connection refused'
        ),
        "pushed localhost/base:1",
        weight=CAUSE + 6,
        unless=r"retrying in",
    ),
    Rule(
        "registry.auth",
        "auth",
        (
            r"(?i)\bdenied: denied\b|unauthorized: (?:authentication required|access|incorrect|The client|project)"
            r"|requested access to the resource is denied|no basic auth credentials|invalid username/password"
            r"|unable to retrieve auth token|authorization (?:failed|token has expired)|insufficient_scope"
            r"|docker login|requesting bearer token: .*(?:40[13]|denied)|credential helper|error getting credentials"
            r"|docker-credential-\S+.*(?:not found|failed)"
        ),
        "unauthorized: authentication required",
        "Login Succeeded",
        weight=CAUSE + 5,
        unless=r"(?i)warning|Use 'docker login",
    ),
    Rule(
        "registry.short_name",
        "config",
        r"(?i)short-name .* did not resolve|no unqualified-search registries are defined",
        'Error: short-name "base" did not resolve to an alias and no unqualified-search registries are defined',
        "resolved base",
        weight=CAUSE + 1,
    ),
    Rule(
        "registry.not_found",
        "dependency",
        (
            r"(?i)manifest (?:for .* )?(?:not found|unknown)|manifest unknown|pull access denied for"
            r"|repository (?:name not known|does not exist)|NAME_UNKNOWN|no matching manifest for"
            r"|image .* (?:not known|not found|could not be found)|No such image"
            r"|failed to (?:solve|resolve (?:source metadata|reference)).*: not found$"
            r"|requested image's platform|ErrImagePull|ImagePullBackOff|InvalidImageName|unable to find image"
            r"|invalid reference format|blob unknown"
        ),
        "Error response from daemon: manifest for green/base:9 not found: manifest unknown",
        "image found",
        weight=CAUSE,
        unless=r"Unable to find image '.*' locally",
    ),
    Rule(
        "registry.network",
        "network",
        (
            r"(?i)(?:error|failed).{0,40}(?:pinging container registry|pulling image|copying (?:image|blob)"
            r"|reading (?:blob|manifest)|initializing source|pull(?:ing)? (?:from )?|do request"
            r"|fetch anonymous token|push(?:ing)?).{0,300}(?:timeout|timed out|connection (?:refused|reset)|EOF\b"
            r"|no such host|unreachable|temporary failure|handshake)|received unexpected HTTP status: 5\d\d"
            r"|unexpected status (?:code )?(?:from \S+ request to \S+: )?5\d\d|error pulling image configuration"
            r"|failed to (?:copy|do request|authorize): .*(?:EOF|timeout|reset|refused)|httpReadSeeker: failed"
        ),
        (
            'Error: copying blob sha256:4f: reading blob: Get "https://registry.example/v2/x": net/http: TLS'
            " handshake timeout"
        ),
        "Copying blob done",
        weight=CAUSE + 1,
        unless=r"level=warning|retrying in",
    ),
    Rule(
        "docker.daemon",
        "infrastructure",
        (
            r"(?i)Cannot connect to the Docker daemon|Is the docker daemon running|error during connect:"
            r"|docker daemon is not running|failed to (?:connect|dial) .*(?:buildkit|containerd|docker)\S*sock"
            r"|containerd.*(?:not running|failed to start)|rpc error: code = Unavailable|transport is closing"
            r"|docker\.sock: connect: (?:no such file|connection refused)|(?:unable to|cannot) connect to Podman"
            r"|error reading from server: EOF|buildkitd.*(?:fail|not)"
        ),
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        "docker daemon started",
        weight=CAUSE + 3,
    ),
    Rule(
        "docker.exists",
        "dirty",
        (
            r"(?i)Conflict\. The container name|container name .* is already in use"
            r"|network with name .* already exists|port is already allocated|endpoint with name .* already exists"
            r"|removal of container .* is already in progress|layer (?:not known|does not exist)|readlink .*overlay"
            r"|volume is in use|image is being used by|unable to (?:remove|delete) .*(?:in use|conflict)"
        ),
        (
            'docker: Error response from daemon: Conflict. The container name "/green" is already in use by'
            ' container "4f".'
        ),
        "container created",
        weight=CAUSE + 3,
    ),
    Rule(
        "docker.storage",
        "dirty",
        (
            r"(?i)failed to register layer|error creating overlay mount|overlay.*(?:invalid argument|not supported)"
            r"|storage driver .*(?:error|not)|database (?:configuration mismatch|graph driver name)"
            r"|filesystem layer verification failed|failed to (?:export|prepare|commit"
            r"|compute cache key).*(?:snapshot|layer|checksum).*(?:does not exist|not found|failed)"
            r"|digest (?:mismatch|did not match)|unexpected commit digest|corrupt(?:ed)? layer"
        ),
        "failed to register layer: Error processing tar file(exit status 1): unexpected EOF",
        "layer registered",
        weight=CAUSE - 8,
        unless=r"no space|not found: not found$",
    ),
    Rule(
        "dockerfile.copy",
        "config",
        (
            r"(?i)(?:COPY|ADD) failed|failed to compute cache key|checking on sources under|copier: stat"
            r"|no such file or directory.*(?:COPY|ADD)|forbidden path outside the build context"
            r"|no source files were specified|lstat .*: no such file or directory"
            r"|failed to calculate checksum of ref|Dockerfile.*(?:no such file|not found|cannot be empty"
            r"|cannot locate)|unable to prepare context|failed to read dockerfile"
        ),
        (
            'Error: building at STEP "COPY nothere /bin/bb": checking on sources under "/srv/ctx": copier: stat:'
            ' "/nothere": no such file or directory'
        ),
        "COPY done",
        weight=CAUSE + 3,
    ),
    Rule(
        "dockerfile.syntax",
        "config",
        (
            r"(?i)dockerfile parse error|unknown instruction:|failed to solve(?: with frontend)?.*(?:parse|unknown)"
            r"|Dockerfile:\d+: |invalid (?:field|from flag value|mount type)|base name .* should not be blank"
            r"|target stage .* could not be found|failed to reach build target|yaml: (?:line \d+|unmarshal)"
            r"|services\.\S+ (?:Additional property|must be)|docker-compose.*(?:invalid|Unsupported)"
            r"|no build stage in current context"
        ),
        "dockerfile parse error line 7: unknown instruction: RUNN",
        "dockerfile parsed",
        weight=CAUSE + 1,
    ),
    Rule(
        "docker.runtime",
        "config",
        (
            r"(?i)OCI runtime (?:create|exec|start|attempted).*(?:failed|error|to invoke)"
            r"|exec: \\?\"?.*(?:executable file not found in \$PATH|no such file|permission denied)"
            r"|starting container process caused|runc (?:run|create) failed|crun: |failed to create (?:shim|task"
            r"|containerd)|error mounting .* to rootfs|container_linux\.go|invalid mount config"
            r"|Are you trying to mount a directory onto a file|unable to start container process"
        ),
        (
            "docker: Error response from daemon: OCI runtime create failed: runc create failed: unable to start"
            " container process"
        ),
        "container started",
        weight=PHRASE + 12,
    ),
    Rule(
        "docker.step",
        "config",
        (
            r"(?i)The command '.*' returned a non-zero code|process \\?\"?.*\\?\"? did not complete successfully"
            r"|executor failed running|error building at STEP|building at STEP .*: while running runtime"
            r"|Error: (?:error )?building at STEP|subprocess exited with status [1-9]"
        ),
        "The command '/bin/sh -c make install' returned a non-zero code: 2",
        "Successfully built 4f",
        weight=VAGUE + 8,
    ),
    Rule(
        "kubernetes.busy",
        "contention",
        r"(?i)another operation \((?:install|upgrade|rollback)|Operation cannot be fulfilled on .*: the object has been modified|the object has been modified; please apply",
        "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
        "Error: UPGRADE FAILED: values do not meet the schema",
        weight=CAUSE + 2,
    ),
    Rule(
        "kubernetes.wait",
        "timeout",
        r"(?i)timed out waiting for the condition|resource .* not ready\. status: InProgress|context deadline exceeded.*\b(?:helm|release|rollout)\b|timeout: .* not ready",
        "Error: INSTALLATION FAILED: timed out waiting for the condition",
        "condition met",
        weight=CAUSE + 1,
    ),
    Rule(
        "docker.unhealthy",
        "timeout",
        r"(?i)dependency failed to start: container \S+ (?:is unhealthy|exited)|container .{1,120} is unhealthy\b",
        "dependency failed to start: container build-db-1 is unhealthy",
        "container build-db-1 is healthy",
    ),
    Rule(
        "kubernetes.failed",
        "config",
        (
            r"(?i)CrashLoopBackOff|CreateContainerConfigError|error: (?:error validating|unable to recognize"
            r"|the server doesn't have a resource type|no matches for kind)|Error from server \((?:NotFound"
            r"|BadRequest|Invalid|Forbidden)\)|Error: (?:INSTALLATION|UPGRADE) FAILED|helm.*(?:chart .* not found)|Insufficient (?:cpu|memory)|exceeded its progress deadline"
            r"|namespaces? \"?\S+\"? not found"
        ),
        "Error: INSTALLATION FAILED: cannot re-use a name that is still in use",
        "pod running",
        weight=PHRASE + 8,
    ),
    Rule(
        "kubernetes.server",
        "unavailable",
        (
            r"(?i)Error from server \((?:ServiceUnavailable|InternalError|Timeout|TooManyRequests)\)"
            r"|The connection to the server .* was refused|etcdserver: (?:request timed out|leader changed)"
            r"|Unable to connect to the server|apiserver (?:not ready|is shutting down)|FailedScheduling"
            r"|nodes are available: \d+"
        ),
        "0/3 nodes are available: 3 Insufficient storage. FailedScheduling",
        "kubectl applied",
        weight=CAUSE - 2,
    ),
)
