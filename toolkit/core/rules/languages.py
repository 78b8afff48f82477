"""Package managers of languages: pip, npm, yarn, Maven, Gradle, cargo, go, gem, composer, conda, CPAN, NuGet."""

from __future__ import annotations

from typing import Final

from toolkit.core.rules.rule import CAUSE, PHRASE, SYMPTOM, VAGUE, Rule

RULES: Final = (
    # ---- pip
    Rule(
        "pip.network",
        "network",
        (
            r"Could not install packages due to an (?:OSError|EnvironmentError): (?:HTTPS?ConnectionPool"
            r"|.*(?:Max retries|timed out|Connection))|pip\._vendor\.urllib3\.exceptions\.(?:ReadTimeout"
            r"|ConnectTimeout|Protocol|NewConnection|MaxRetry)\w*"
            r"|WARNING: Retrying \(Retry\(total=0.*(?:Read timed out|NewConnectionError|ConnectTimeout"
            r"|RemoteDisconnected|ProtocolError|reset by peer|refused)"
        ),
        (
            "ERROR: Could not install packages due to an OSError: HTTPSConnectionPool(host='pypi.example',"
            " port=443): Max retries exceeded"
        ),
        "Successfully installed six-1.16.0",
        weight=CAUSE + 4,
        unless=r"SSLError|CERTIFICATE|No space|Permission",
    ),
    Rule(
        "pip.hash",
        "infrastructure",
        (
            r"THESE PACKAGES DO NOT MATCH THE HASHES|(?i:hash(?:es)? mismatch|integrity check(?:sum)? (?:failed"
            r"|mismatch)|checksum (?:mismatch|failed|does not match|verification failed|did not match|mismatched)"
            r"|\bEINTEGRITY\b|sha(?:1|256|512)(?:sum)? (?:mismatch|does not match|check failed)|digest mismatch"
            r"|md5sum mismatch|\d+ computed checksums? did NOT match|verifying \S+: checksum mismatch"
            r"|SECURITY ERROR)"
        ),
        "npm error code EINTEGRITY",
        "hashes match",
        weight=CAUSE,
        unless=r"^(?:==> )?\S*: Checksums did not match for",
    ),
    Rule(
        "pip.no_match",
        "dependency",
        (
            r"ERROR: (?:No matching distribution found|Could not find a version that satisfies)|Requires-Python"
            r"|requires a different Python|is not a supported wheel on this platform"
            r"|ERROR: Package '.*' requires a different|No matching distribution"
        ),
        "ERROR: No matching distribution found for requestss-not-here",
        "Collecting requests",
        weight=SYMPTOM + 10,
        unless=r"Ignored the following",
    ),
    Rule(
        "pip.conflict",
        "dependency",
        (
            r"ResolutionImpossible|ERROR: Cannot install .* because these package versions have conflicting"
            r"|pip's dependency resolver does not currently|The conflict is caused by:|(?i:SolverProblemError"
            r"|because .* depends on .* version solving failed|version solving failed"
            r"|no solution found when resolving|UnsatisfiableError|LibMambaUnsatisfiable|ResolvePackageNotFound"
            r"|PackagesNotFoundError)|VersionConflict|DistributionNotFound"
        ),
        "ERROR: ResolutionImpossible: for help visit the documentation on dependency conflicts",
        "resolved",
        weight=CAUSE + 1,
    ),
    Rule(
        "pip.requirement",
        "config",
        (
            r"ERROR: (?:Invalid requirement|Could not open requirements file|Invalid (?:wheel|constraint|URL)"
            r"|.*does not appear to be a Python project|Directory .* is not installable|File .* not found"
            r"|You must give at least one requirement|Cannot uninstall|Can not (?:combine|perform)"
            r"|Target \S+ is not)|(?:neither 'setup\.py' nor 'pyproject\.toml')"
            r"|error: externally-managed-environment|pip: error: |no such option:"
        ),
        "ERROR: Invalid requirement: 'six=1.16.0'",
        "Requirement already satisfied: six",
        weight=CAUSE,
    ),
    Rule(
        "pip.build",
        "dependency",
        r"(?i)^\s+(?:error: )?(?:\S+ executable not found|.*(?:headers?|library|compiler) (?:is |are |was )?(?:not found|required|missing)|can't find Rust compiler|unable to find (?:vc|compiler))",
        "      Error: pg_config executable not found.",
        "Successfully built wheel",
        weight=PHRASE + 6,
    ),
    Rule(
        "pip.build",
        "dependency",
        (
            r"(?i)Failed building wheel for|error: subprocess-exited-with-error|metadata-generation-failed"
            r"|legacy-install-failure|Failed to build (?:installable wheels|\S+$)|Could not build wheels"
            r"|Microsoft Visual C\+\+ .* is required|Getting requirements to build wheel did not run"
            r"|Preparing metadata .*did not run|error: command '.*gcc' failed"
            r"|fatal error: Python\.h: No such file|Cython\.Compiler\.Errors"
        ),
        "  ERROR: Failed building wheel for cryptography",
        "Successfully built wheel",
        weight=PHRASE + 3,
    ),
    Rule(
        "python.import",
        "dependency",
        (
            r"\bModuleNotFoundError: |\bImportError: (?:No module|cannot import|lib\S+: cannot open|DLL load)"
            r"|No module named "
        ),
        "ModuleNotFoundError: No module named 'docker_image_checks'",
        "module named docker imported",
        weight=PHRASE + 4,
    ),
    # ---- npm, yarn, pnpm
    Rule(
        "npm.network",
        "network",
        (
            r"npm (?:ERR!|error) (?:code|errno|network|syscall).{0,30}(?:ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENOTFOUND"
            r"|EAI_AGAIN|ESOCKETTIMEDOUT|ERR_SOCKET_TIMEOUT|ECONNABORTED|EHOSTUNREACH|ENETUNREACH|EPIPE)|npm (?:ERR!"
            r"|error) network|FetchError: request to .* failed, reason"
            r"|(?i:There appears to be trouble with (?:your network|the npm registry))"
            r"|error An unexpected error occurred: \"https?://\S+: (?:ETIMEDOUT|ESOCKETTIMEDOUT|ECONN|getaddrinfo"
            r"|connect|tunneling)|ERR_PNPM_META_FETCH_FAIL|npm (?:ERR!|error) (?:FetchError|Response timeout)"
            r"|Invalid response body while trying to fetch"
        ),
        "npm error code ECONNREFUSED",
        "npm error code E404",
        weight=CAUSE + 5,
        unless=r"CERT|certificate|SELF_SIGNED|not valid JSON|invalid json",
    ),
    Rule(
        "npm.auth",
        "auth",
        (
            r"npm (?:ERR!|error) code E(?:401|403|NEEDAUTH|OTP)|npm (?:ERR!|error) (?:need auth|401|403)"
            r"|Unable to authenticate, (?:need|your)|Incorrect or missing password|authentication token .*invalid"
            r"|ERR_PNPM_FETCH_40[13]|YN0041|ENEEDAUTH"
        ),
        "npm error code E401",
        "npm error code E500",
        weight=CAUSE + 6,
    ),
    Rule(
        "npm.not_found",
        "dependency",
        (
            r"npm (?:ERR!|error) code (?:E404|ETARGET|ENOVERSIONS|E410|EBADPLATFORM|EBADENGINE|EUNSUPPORTEDPROTOCOL)"
            r"|npm (?:ERR!|error) notarget|No matching version found for|error Couldn't find (?:any versions for"
            r"|package)|The engine \"\S+\" is incompatible|ERR_PNPM_(?:NO_MATCHING_VERSION|FETCH_404)|YN0082"
            r"|npm (?:ERR!|error) 404"
        ),
        "npm error code ETARGET",
        "npm error code E401",
        weight=CAUSE,
    ),
    Rule(
        "npm.conflict",
        "dependency",
        (
            r"npm (?:ERR!|error) (?:code )?ERESOLVE|unable to resolve dependency tree|Could not resolve dependency:"
            r"|Conflicting peer dependency|Fix the upstream dependency conflict|ERR_PNPM_(?:PEER_DEP"
            r"|OUTDATED_LOCKFILE|LOCKFILE)\w*|npm ci.*can only install"
            r"|package\.json and package-lock\.json .* (?:not )?in sync|Your lockfile needs to be updated|YN0028"
        ),
        "npm error code ERESOLVE",
        "npm error code E404",
        weight=CAUSE + 1,
        unless=r"^npm (?:WARN|warn)",
    ),
    Rule(
        "npm.config",
        "config",
        (
            r"npm (?:ERR!|error) (?:Missing script|missing script|code E(?:JSONPARSE|USAGE|INVALIDPACKAGENAME"
            r"|MISSINGARG|CONFIG|BADDEVENGINES))|(?i:npm (?:ERR!|error) (?:code ENOENT|enoent|JSON\.parse|Tracker"
            r"|Invalid (?:tag|package|name)))|error Command \".*\" not found|ERR_PNPM_NO_(?:SCRIPT|PKG_MANIFEST"
            r"|IMPORTER)\w*|Usage Error: Couldn't find"
        ),
        'npm error Missing script: "biuld"',
        "npm script found",
        weight=CAUSE,
    ),
    Rule(
        "npm.server",
        "unavailable",
        (
            r"npm (?:ERR!|error) code E5\d\d|npm (?:ERR!|error) 5\d\d |ERR_PNPM_FETCH_5\d\d|Request failed \"5\d\d"
            r"|npm (?:ERR!|error) code E429"
        ),
        "npm error code E503",
        "npm error code E404",
        weight=CAUSE + 5,
    ),
    Rule(
        "npm.script",
        "config",
        (
            r"npm (?:ERR!|error) (?:code ELIFECYCLE|Lifecycle script|command failed|Exit status [1-9])"
            r"|error Command failed with exit code|ELIFECYCLE|gyp ERR! (?:build error|configure error|not ok)"
            r"|Module not found: (?:Error: )?(?:Can't|Unable to) resolve|Cannot find module '|error TS\d+: "
            r"|SyntaxError: Unexpected (?:token|identifier|end)|ReferenceError: \S+ is not defined"
            r"|TypeError: Cannot read propert|webpack.*compiled with \d+ errors?|Failed to compile"
            r"|UnhandledPromiseRejection|ERR_MODULE_NOT_FOUND|ERR_OSSL_EVP_UNSUPPORTED|ERR_REQUIRE_ESM"
            r"|\[vite\].*error|eslint.*\(\d+ errors?"
        ),
        "error TS2304: Cannot find name 'foo'.",
        "compiled successfully",
        weight=PHRASE - 7,
    ),
    # ---- Maven, Gradle
    Rule(
        "maven.network",
        "network",
        (
            r"(?i)Could not (?:transfer artifact|transfer metadata|GET|HEAD|download).{0,400}(?:timed? ?out"
            r"|Connection (?:reset|refused|timed)|Connect to .* failed|No route|unknown host|UnknownHost"
            r"|Premature end|Remote host terminated|Temporary failure|Network is unreachable|status code: 5\d\d"
            r"|Bad Gateway|Service Unavailable|Received status code 5\d\d|SocketException)"
            r"|Non-resolvable (?:parent POM|import POM).{0,400}(?:timed? ?out|Connection|unknown host)"
            r"|Could not resolve all (?:files|artifacts|dependencies).*(?:timed out|connection)"
            r"|Downloading .*failed.*(?:timeout|timed out)|java\.net\.(?:SocketTimeoutException|ConnectException"
            r"|SocketException|UnknownHostException|NoRouteToHostException)"
            r"|Exception in thread \"main\" java\.(?:io\.IOException: Downloading|net\.)"
        ),
        (
            "[ERROR] Could not transfer artifact org.x:y:pom:1.0 from/to central (https://repo.example/maven2):"
            " Connect to repo.example:443 failed: Connection timed out"
        ),
        "[INFO] Downloaded from central: https://repo.example/x.pom",
        weight=CAUSE + 1,
        unless=r"(?i)^\s*at org\.|\bTest\w*\b.*<<<|PKIX|certificate",
    ),
    Rule(
        "maven.auth",
        "auth",
        (
            r"(?i)Could not (?:transfer|GET|PUT|HEAD|resolve).{0,400}(?:status(?: code)?:? 40[137]|Unauthorized"
            r"|Not authorized|Forbidden|Received status code 40[137]|authentication failed|Access denied)"
            r"|Failed to deploy artifacts.*(?:40[13]|Unauthorized|Forbidden)"
        ),
        (
            "[ERROR] Could not transfer artifact org.x:y:jar:1 from/to nexus (https://nexus.example/): status"
            " code: 401, reason phrase: Unauthorized (401)"
        ),
        "[INFO] Uploaded to nexus",
        weight=CAUSE + 6,
    ),
    Rule(
        "maven.dependency",
        "dependency",
        (
            r"(?i)Could not (?:find|resolve) (?:artifact|dependencies for project|dependencies|all (?:files"
            r"|artifacts|dependencies|task dependencies)|\S+:\S+:\S+)|Failure to find \S+:\S+"
            r"|Non-resolvable (?:parent|import) POM|Failed to (?:collect dependencies|read artifact descriptor)"
            r"|was not found in .* during a previous attempt"
            r"|Plugin .* or one of its dependencies could not be resolved|Could not find \S+:\S+:\S+\."
            r"|Plugin \[id: .*\] was not found|No matching variant of|conflict(?:s)? found for the following modules"
            r"|Could not determine the dependencies of task|DependencyResolutionException|PluginResolutionException"
            r"|ArtifactNotFoundException"
        ),
        (
            "[ERROR] Failed to execute goal on project app: Could not resolve dependencies for project"
            " org.x:app:jar:1.0: Could not find artifact org.y:z:jar:2.0 in central"
        ),
        "[INFO] Resolved dependencies",
        weight=PHRASE + 15,
    ),
    Rule(
        "maven.compile",
        "config",
        r"\[ERROR\] .*\.(?:java|kt|scala|groovy):\[\d+,\d+\]",
        "[ERROR] /src/App.java:[14,20] cannot find symbol",
        "[INFO] Compiling 12 source files",
        weight=CAUSE - 8,
    ),
    Rule(
        "maven.compile",
        "config",
        (
            r"\[ERROR\] COMPILATION ERROR|Compilation failure|(?i:Execution failed for task ':.*(?:compile|Compile)"
            r"|Compilation failed; see the compiler)|error: (?:cannot find symbol|package \S+ does not exist"
            r"|incompatible types|class \S+ is public|unreported exception|';' expected|reached end of file"
            r"|method \S+ in)|\.kt:\d+:\d+: error|\.java:\d+: error: |e: \S+\.kt:"
        ),
        "[ERROR] COMPILATION ERROR : ",
        "[INFO] Compiling 12 source files",
        weight=CAUSE - 10,
    ),
    Rule(
        "maven.checks",
        "test",
        (
            r"(?i)You have \d+ Checkstyle violations?|checkstyle.*(?:violations? (?:found|exceed)|failed)"
            r"|PMD (?:Failure|.* violations)|(?:spotbugs|findbugs).*(?:failed with \d+ bugs|found \d+ bugs)"
            r"|Too many files with unapproved license|rat-plugin.*unapproved|SpotBugs found|Rule violated for bundle"
            r"|coverage (?:checks|ratio|threshold).*(?:not (?:been )?met|below|fail)|pylint.*rated"
            r"|ruff.*Found \d+ errors|Found \d+ errors? in \d+ files?|would reformat|\d+ files? would be reformatted"
            r"|shellcheck|clippy.*denied|lint(?:ing)? (?:errors|failed)|license header|dead links? found"
        ),
        "[ERROR] Failed to execute goal checkstyle: You have 3 Checkstyle violations.",
        "You have 0 Checkstyle violations.",
        weight=PHRASE + 4,
        unless=r"(?i)\b0 (?:checkstyle )?violations|Installing|Unpacking|Setting up|Collecting",
    ),
    Rule(
        "maven.config",
        "config",
        (
            r"(?i)The goal you specified requires a project to execute|Unknown lifecycle phase|Non-parseable POM"
            r"|Malformed POM|The build could not read|ProjectBuildingException|No plugin found for prefix"
            r"|Task '.*' not found in|Could not (?:compile build file|open (?:settings"
            r"|init) (?:generic )?class cache)|A problem occurred (?:evaluating|configuring)"
            r"|Unsupported class file major version|invalid (?:target|source) release|JAVA_HOME is (?:not (?:set"
            r"|defined)|set to an invalid)|No compiler is provided|release version \d+ not supported"
            r"|Build file '.*' line|Could not find the selected project|Detected (?:JDK"
            r"|Maven) Version.*not in the allowed range|Some Enforcer rules have failed|RequireJavaVersion"
            r"|UnsupportedClassVersionError|There are no (?:more )?actions to run"
        ),
        '[ERROR] Unknown lifecycle phase "instal". You must specify a valid lifecycle phase',
        "BUILD SUCCESS",
        weight=PHRASE + 12,
    ),
    Rule(
        "maven.failed",
        "config",
        (
            r"\[ERROR\] Failed to execute goal|\[INFO\] BUILD FAILURE|^BUILD FAILED|^FAILURE: Build failed"
            r"|Execution failed for task|\.\.+ FAILURE \["
        ),
        "FAILURE: Build failed with an exception.",
        "[INFO] BUILD SUCCESS",
        weight=VAGUE,
    ),
    # ---- cargo, go, others
    Rule(
        "cargo.network",
        "network",
        (
            r"(?i)(?:failed to (?:download|fetch|get|update) .*(?:crates|registry|index|from|git|package)"
            r"|spurious network error|failed to (?:query|load) .*(?:registry|index)|unable to update (?:registry"
            r"|https?:)|Unable to (?:fetch|download).*(?:crate|module)|go: .*(?:dial tcp|i/o timeout"
            r"|connection (?:refused|reset)|unexpected EOF|TLS handshake|5\d\d )|proxy\.\S+.*(?:timeout|5\d\d )"
            r"|Error fetching http|Gem::RemoteFetcher::FetchError|Could not (?:fetch specs|reach host)"
            r"|Bundler::HTTPError|Net::(?:OpenTimeout|ReadTimeout|HTTPFatalError)|curl error (?:6|7|28|35|52|55"
            r"|56)\b|NU1301|CondaHTTPError|ConnectionError.*conda|Could not fetch (?:URL|specs))"
        ),
        "error: failed to download from `https://crates.corp.net/api/v1/crates/serde/1.0/download`",
        "    Updating crates index",
        weight=PHRASE + 12,
        unless=r"40[134]|not found: module|SSL certificate|confirming the ssl certificate|CERTIFICATE",
    ),
    Rule(
        "cargo.dependency",
        "dependency",
        (
            r"(?i)error: no matching package named|failed to select a version for|cannot be built because it requires"
            r"|error: the lock file .* needs to be updated|go: .*(?:unknown revision"
            r"|module .* found .* but does not contain|no matching versions for query|missing go\.sum entry"
            r"|requires go >=|cannot find module)|no required module provides package|cannot find package \""
            r"|Could not find (?:a valid )?gem|Bundler could not find compatible versions|Gem::(?:UnsatisfiableDependency"
            r"|MissingSpec)Error|Your requirements could not be resolved to an installable set"
            r"|Could not find (?:a matching version of )?package|NU110[0-9]|Can't locate \S+\.pm in @INC"
            r"|is not in the npm registry"
            r"|Package '?\S+'?(?:, required by .*)?,? (?:was )?not found|No package '\S+' found"
            r"|pkg-config.*not found|Dependency \"?\S+\"? not found|could not find \S+ header|library .* not found"
            r"|cannot open shared object file|version `GLIBC\S+' not found|unmet dependency|missing dependenc(?:y"
            r"|ies)"
        ),
        "error: no matching package named `sered` found",
        "Compiling serde v1.0",
        weight=PHRASE + 6,
        unless=r"(?i)could not find package .*locally|optional|warning",
    ),
    Rule(
        "cargo.compile",
        "config",
        (
            r"(?i)error\[E\d{4}\]|error: could not compile|aborting due to \d+ previous error|\.go:\d+:\d+: "
            r"|undefined: \w+|error CS\d{4}|error MSB\d{4}|rustc .*error"
        ),
        "error[E0425]: cannot find value `x` in this scope",
        "Finished release target",
        weight=PHRASE + 3,
        unless=r"(?i)warning|CERT|_test\.go|no required module provides|missing go\.sum entry",
    ),
)
