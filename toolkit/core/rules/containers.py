"""Containers and registries: docker, podman, buildah, skopeo, kubernetes, helm."""

from __future__ import annotations

from typing import Final

from toolkit.core.rules.rule import CAUSE, PHRASE, SYMPTOM, VAGUE, Rule

RULES: Final = (
    Rule(
        "registry.local",
        "dependency",
        r"(?:initializing source|pinging container registry|reading manifest|pull access denied for|Get \\?\"https?://)\S* ?(?:docker://)?localhost(?::\d+)?/",
        'Error: initializing source docker://localhost/base:1: pinging container registry localhost: Get "https://localhost/v2/": dial tcp 127.0.0.1:443: connect: connection refused',
        "pushed localhost/base:1",
        weight=CAUSE + 6,
        unless=r"retrying in",
    ),
    Rule(
        "registry.auth",
        "auth",
        r"(?i)unauthorized: (?:authentication required|access|incorrect|The client|project)|denied: requested access to the resource|no basic auth credentials|invalid username/password|unable to retrieve auth token|authorization (?:failed|token has expired)|insufficient_scope|docker login|requesting bearer token: .*(?:40[13]|denied)|credential helper|error getting credentials|docker-credential-\S+.*(?:not found|failed)",
        "unauthorized: authentication required",
        "Login Succeeded",
        weight=CAUSE + 5,
        unless=r"(?i)warning|Use 'docker login",
    ),
    Rule(
        "registry.not_found",
        "dependency",
        r"(?i)manifest (?:for .* )?(?:not found|unknown)|manifest unknown|pull access denied for|repository (?:name not known|does not exist)|NAME_UNKNOWN|no matching manifest for|image .* (?:not known|not found|could not be found)|No such image|failed to resolve (?:source metadata|reference).*not found|short-name .* did not resolve|requested image's platform|ErrImagePull|ImagePullBackOff|InvalidImageName|unable to find image|invalid reference format|blob unknown",
        "Error response from daemon: manifest for green/base:9 not found: manifest unknown",
        "image found",
        weight=CAUSE,
        unless=r"Unable to find image '.*' locally",
    ),
    Rule(
        "registry.network",
        "network",
        r"(?i)(?:error|failed).{0,40}(?:pinging container registry|pulling image|copying (?:image|blob)|reading (?:blob|manifest)|initializing source|pull(?:ing)? (?:from )?|do request|fetch anonymous token|push(?:ing)?).{0,300}(?:timeout|timed out|connection (?:refused|reset)|EOF\b|no such host|unreachable|temporary failure|handshake)|received unexpected HTTP status: 5\d\d|unexpected status (?:code )?(?:from \S+ request to \S+: )?5\d\d|error pulling image configuration|failed to (?:copy|do request|authorize): .*(?:EOF|timeout|reset|refused)",
        'Error: copying blob sha256:4f: reading blob: Get "https://registry.example/v2/x": net/http: TLS handshake timeout',
        "Copying blob done",
        weight=CAUSE + 1,
        unless=r"level=warning|retrying in",
    ),
    Rule(
        "docker.daemon",
        "infrastructure",
        r"(?i)Cannot connect to the Docker daemon|Is the docker daemon running|error during connect:|docker daemon is not running|failed to (?:connect|dial) .*(?:buildkit|containerd|docker)\S*sock|containerd.*(?:not running|failed to start)|rpc error: code = Unavailable|transport is closing|docker\.sock: connect: (?:no such file|connection refused)|unable to connect to Podman socket|error reading from server: EOF|buildkitd.*(?:fail|not)",
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        "docker daemon started",
        weight=CAUSE + 3,
    ),
    Rule(
        "docker.exists",
        "dirty",
        r"(?i)Conflict\. The container name|container name .* is already in use|network with name .* already exists|port is already allocated|endpoint with name .* already exists|removal of container .* is already in progress|layer (?:not known|does not exist)|readlink .*overlay|volume is in use|image is being used by|unable to (?:remove|delete) .*(?:in use|conflict)",
        'docker: Error response from daemon: Conflict. The container name "/green" is already in use by container "4f".',
        "container created",
        weight=CAUSE + 3,
    ),
    Rule(
        "docker.storage",
        "dirty",
        r"(?i)failed to register layer|error creating overlay mount|overlay.*(?:invalid argument|not supported)|storage driver .*(?:error|not)|database (?:configuration mismatch|graph driver name)|filesystem layer verification failed|failed to (?:export|prepare|commit|compute cache key).*(?:snapshot|layer|checksum).*(?:does not exist|not found|failed)|digest (?:mismatch|did not match)|unexpected commit digest|corrupt(?:ed)? layer",
        "failed to register layer: Error processing tar file(exit status 1): unexpected EOF",
        "layer registered",
        weight=CAUSE - 8,
        unless=r"no space|not found: not found$",
    ),
    Rule(
        "dockerfile.copy",
        "config",
        r"(?i)(?:COPY|ADD) failed|failed to compute cache key|checking on sources under|copier: stat|no such file or directory.*(?:COPY|ADD)|forbidden path outside the build context|no source files were specified|lstat .*: no such file or directory|failed to calculate checksum of ref|Dockerfile.*(?:no such file|not found|cannot be empty|cannot locate)|unable to prepare context|failed to read dockerfile",
        'Error: building at STEP "COPY nothere /bin/bb": checking on sources under "/srv/ctx": copier: stat: "/nothere": no such file or directory',
        "COPY done",
        weight=CAUSE + 3,
    ),
    Rule(
        "dockerfile.syntax",
        "config",
        r"(?i)dockerfile parse error|unknown instruction:|failed to solve(?: with frontend)?.*(?:parse|unknown)|Dockerfile:\d+: |invalid (?:field|from flag value|mount type)|base name .* should not be blank|target stage .* could not be found|failed to reach build target|yaml: (?:line \d+|unmarshal)|services\.\S+ (?:Additional property|must be)|docker-compose.*(?:invalid|Unsupported)|no build stage in current context",
        "dockerfile parse error line 7: unknown instruction: RUNN",
        "dockerfile parsed",
        weight=CAUSE + 1,
    ),
    Rule(
        "docker.runtime",
        "config",
        r"(?i)OCI runtime (?:create|exec|start|attempted).*(?:failed|error|to invoke)|exec: \\?\"?.*(?:executable file not found in \$PATH|no such file|permission denied)|starting container process caused|runc (?:run|create) failed|crun: |failed to create (?:shim|task|containerd)|error mounting .* to rootfs|container_linux\.go|invalid mount config|Are you trying to mount a directory onto a file|unable to start container process",
        'docker: Error response from daemon: OCI runtime create failed: runc create failed: unable to start container process',
        "container started",
        weight=PHRASE + 12,
    ),
    Rule(
        "docker.step",
        "config",
        r"(?i)The command '.*' returned a non-zero code|process \\?\"?.*\\?\"? did not complete successfully|executor failed running|error building at STEP|building at STEP .*: while running runtime|Error: (?:error )?building at STEP|subprocess exited with status [1-9]",
        "The command '/bin/sh -c make install' returned a non-zero code: 2",
        "Successfully built 4f",
        weight=VAGUE + 8,
    ),
    Rule(
        "kubernetes.failed",
        "config",
        r"(?i)CrashLoopBackOff|CreateContainerConfigError|error: (?:error validating|unable to recognize|the server doesn't have a resource type|no matches for kind)|Error from server \((?:NotFound|BadRequest|Invalid|Forbidden)\)|Error: (?:INSTALLATION|UPGRADE) FAILED|helm.*(?:timed out|chart .* not found)|Insufficient (?:cpu|memory)|exceeded its progress deadline|namespaces? \"?\S+\"? not found",
        "Error: INSTALLATION FAILED: cannot re-use a name that is still in use",
        "pod running",
        weight=PHRASE + 8,
    ),
    Rule(
        "kubernetes.server",
        "unavailable",
        r"(?i)Error from server \((?:ServiceUnavailable|InternalError|Timeout|TooManyRequests)\)|The connection to the server .* was refused|etcdserver: (?:request timed out|leader changed)|Unable to connect to the server|apiserver (?:not ready|is shutting down)|FailedScheduling|nodes are available: \d+",
        "0/3 nodes are available: 3 Insufficient storage. FailedScheduling",
        "kubectl applied",
        weight=CAUSE - 2,
    ),
)
