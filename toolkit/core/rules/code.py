"""Scripts, compilers and programs: shell, make, C, Python, Java, Perl, Ruby; files and commands that are not there."""

from __future__ import annotations

from typing import Final

from toolkit.core.rules.rule import BROAD, CAUSE, PHRASE, SYMPTOM, VAGUE, Rule

RULES: Final = (
    Rule(
        "shell.syntax",
        "config",
        (
            r"(?i)(?:line \d+|: \d+): (?:syntax error|unexpected EOF|Syntax error|bad substitution"
            r"|conditional binary operator|`.*' is not|not a valid identifier)|syntax error near unexpected token"
            r"|unexpected EOF while looking for|Bad substitution|\[: (?:missing|too many arguments|unary operator"
            r"|integer expression)|bad interpreter: |unterminated (?:quoted string|string)|parse error near"
        ),
        "build.sh: line 78: unexpected EOF while looking for matching `\"'",
        "syntax ok",
        weight=CAUSE,
        unless=r"(?i)yaml|integer expression expected",
    ),
    Rule(
        "shell.unbound",
        "config",
        (
            r"(?i): unbound variable$|: parameter (?:not set|null or not set)|: \w+: (?:must be set|is not set"
            r"|not set)|(?:environment )?variable '?\"?\$?\w+\"?'? (?:is )?(?:not (?:set|defined)|undefined|unset"
            r"|required|missing)|(?:required|missing|undefined|unset) (?:\w+ )?environment variable|Missing required (?:environment|variable|parameter"
            r"|option|argument|input)"
        ),
        "build.sh: line 38: BASE_TARBALL: unbound variable",
        "variable set",
        weight=CAUSE,
    ),
    Rule(
        "shell.not_found",
        "config",
        (
            r"(?i): command not found|: \d+: \S+: not found$|/sh: \d+: .*: not found|(?:executable|binary|command"
            r"|program|tool) .{1,80} (?:not found|could not be found|is not installed|does not exist)"
            r"|is not recognized as an internal or external command|No such file or directory: b?'[\w./-]+'.*(?:exec"
            r"|Popen)|exec: .*: not found|env: .*: No such file|sudo: .*: command not found"
            r"|make(?:\[\d+\])?: \S+: (?:Command not found|No such file)|spawn \S+ ENOENT|which: no "
        ),
        "build.sh: line 24: kickstart-validator: command not found",
        "command found",
        weight=CAUSE - 1,
        unless=r"(?i)OCI runtime|will not be installed|debconf|^W:|warning|perl: warning|dpkg-preconfigure",
    ),
    Rule(
        "shell.not_executable",
        "config",
        (
            r"(?:bash|sh|zsh|dash|ksh)(?:\[\d+\])?: (?:line \d+: |\d+: )?\S+: (?:Permission denied|cannot execute)"
            r"|cannot execute(?:: required file not found| binary file)|(?i:permission denied.*(?:exec|script))"
        ),
        "bash: line 1: /srv/build/run.sh: Permission denied",
        "bash: executed",
        weight=CAUSE,
        unless=r">|Exec format",
    ),
    Rule(
        "file.missing",
        "config",
        (
            r"(?i)no such file\b|\bENOENT\b|FileNotFoundError|cannot (?:stat|access|open|find|create"
            r"|change) .{0,200}(?:No such|nonexistent|does not exist)|Directory nonexistent|(?:file|path"
            r"|directory) .{0,160}(?:does not exist|not found|doesn't exist|could not be found|is missing)"
            r"|Cannot find (?:the )?(?:file|path)|FileNotFoundException|NoSuchFileException"
            r"|Could not open .*: No such|can't (?:cd to|open|find) "
        ),
        "tar: /srv/base/py-2026.11.tar: Cannot open: No such file or directory",
        "file exists",
        weight=SYMPTOM + 10,
        unless=r"(?i)^W:|warning|ignor|optional|skipping|ls: |rm: |grep: |#include",
    ),
    Rule(
        "usage",
        "config",
        (
            r"(?i)(?:unknown|unrecogni[sz]ed|invalid|illegal|ambiguous|unexpected) (?:option|argument|flag|command"
            r"|subcommand|switch|parameter|sub-?command)s?\b|the following arguments are required|expected (?:one"
            r"|at least one) argument|missing (?:operand|argument|file operand|required (?:option|argument))"
            r"|option .* requires an argument|No such (?:option|command)|^usage: |Try '.* --help'|too (?:few"
            r"|many) arguments|bad usage|mutually exclusive|invalid choice"
        ),
        "tar: unrecognized option '--one-filesystem'",
        "usage of disk 30%",
        weight=SYMPTOM + 12,
        unless=r"(?i)warning",
    ),
    Rule(
        "tool.script",
        "config",
        (
            r"^(?:sed|g?awk|jq|find|xargs|cut|sort|date|perl|expr|bc|envsubst|xmlstarlet|yq): .*(?:unterminated|unknown"
            r"|invalid|extra characters|syntax error|unexpected|error|missing|non-numeric)"
        ),
        "sed: -e expression #1, char 12: unterminated `s' command",
        "sed: done",
        weight=SYMPTOM + 8,
        unless=r"(?i)warning",
    ),
    Rule(
        "useradd.exists",
        "config",
        (
            r"(?:useradd|groupadd|usermod|adduser|addgroup): (?:.*(?:is not unique|already exists|already in use"
            r"|does not exist|invalid)|Permission denied)|(?:UID|GID) \d+ is not unique|chpasswd: "
            r"|passwd: .*(?:failure|unknown)"
        ),
        "useradd: UID 1500 is not unique",
        "useradd: created",
        weight=CAUSE,
    ),
    Rule(
        "config.invalid",
        "config",
        (
            r"(?i)(?:invalid|bad|malformed|unparsable|unreadable|illegal) (?:config(?:uration)?|setting|value|syntax"
            r"|format|json|yaml|toml|xml|ini|manifest|schema|specification|parameter value)\b|(?:config(?:uration)?"
            r"|settings?)(?: file)? (?:is )?(?:invalid|error|missing|not found|could not be (?:read|parsed|loaded))"
            r"|could not parse|failed to parse|parse error|parsing error|JSONDecodeError|json\.decoder"
            r"|yaml\.(?:scanner|parser)|ScannerError|ParserError|TOMLDecodeError|tomllib|XMLSyntaxError"
            r"|schema validation (?:failed|error)|configuration file \S+ test failed|ValidationError\b|configparser\.|KeyError: |unknown (?:key|field"
            r"|property|directive|setting)|\d+ validation errors? for|Expecting (?:value|property name"
            r"|',' delimiter)|error converting YAML|unknown directive"
        ),
        "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
        "configuration valid",
        weight=PHRASE - 2,
        unless=r"(?i)warning|\[warn",
    ),
    # ---- make and compilers
    Rule(
        "link.missing",
        "dependency",
        r"\bld(?:\.\w+)?: cannot find -l\S+|undefined reference to|\bld(?:\.\w+)?: library '?-?l?\S+'? not found|cannot find -l\S+",
        "/usr/bin/ld: cannot find -lfoo: No such file or directory",
        "collect2: error: ld returned 1 exit status",
        weight=CAUSE - 2,
    ),
    Rule(
        "compile.error",
        "config",
        (
            r"^(?:In file included from )?\S+\.(?:c|cc|cpp|cxx|h|hpp|f90|S|s|m):\d+(?::\d+)?: (?:fatal )?error: "
            r"|^\S+\.\w{1,5}:\d+:\d+: (?:fatal )?error: |fatal error: \S+: No such file or directory|^\S*ld(?:\.\w+)?: (?:cannot find|.*undefined reference"
            r"|error:)|collect2: error: ld returned|linker command failed|multiple definition of|error: (?:expected"
            r"|implicit declaration|conflicting types|unknown type name|redefinition|'.*' undeclared)"
            r"|relocation truncated|clang(?:\+\+)?: error:|(?:g?cc|g\+\+): error:|cc1(?:plus)?: (?:all warnings"
            r"|error)|as: .*Error:"
        ),
        "src/main.c:14:10: fatal error: foo.h: No such file or directory",
        "src/main.c:14:10: warning: unused variable",
        weight=CAUSE - 8,
    ),
    Rule(
        "configure.missing",
        "dependency",
        r"configure: error: .*(?:not found|missing|required|need|no(?:t)? (?:usable|suitable|working|acceptable)|cannot find|could not find|install)|CMake Error at .*(?:find_package|FindPackageHandleStandardArgs|pkg_check_modules|_pkg_check_modules_internal)|Could NOT find \S+|meson\.build:\d+:\d+: ERROR: .*(?:[Dd]ependency|not found)|Could not find a package configuration file provided by",
        "configure: error: zlib development headers not found",
        "checking for zlib.h... yes",
        weight=CAUSE - 12,
    ),
    Rule(
        "make.no_rule",
        "config",
        (
            r"\*\*\* No rule to make target|\*\*\* missing separator|\*\*\* No targets|No makefile found"
            r"|\*\*\* (?:multiple target patterns|commands commence|recipe commences|unterminated)|ninja: error: "
            r"|CMake Error(?: at| in|:)|configure: error: |error: (?:autoreconf|automake)|aclocal: error"
            r"|meson\.build:\d+:\d+: ERROR|No CMAKE_\w+ could be found"
            r"|Error: source directory .* does not"
        ),
        "make: *** No rule to make target 'imge', needed by 'all'.  Stop.",
        "make: Nothing to be done for 'all'.",
        weight=CAUSE - 14,
    ),
    Rule(
        "compile.error",
        "config",
        r"failed \((?:compile|configure|install|prepare|unpack|setup) phase\)|\bemake failed\b",
        " * ERROR: dev-libs/foo-1.0::gentoo failed (compile phase):",
        "compile phase finished",
        weight=PHRASE,
    ),
    Rule(
        "make.failed",
        "config",
        (
            r"make(?:\[\d+\])?: \*\*\* .*Error \d+|ninja: build stopped|\*\*\* \[.*\] Error|gmake: \*\*\*"
            r"|scons: \*\*\*|Build step .* marked build as failure"
        ),
        "make[2]: *** [Makefile:12: all] Error 1",
        "make[2]: Leaving directory '/src'",
        weight=BROAD - 14,
        unless=r"Error (?:124|137|143)",
    ),
    Rule(
        "make.timeout",
        "timeout",
        r"make(?:\[\d+\])?: \*\*\* .*Error 124\b",
        "make[1]: *** [Makefile:12: image] Error 124",
        "make[1]: *** [Makefile:12: image] Error 1",
        weight=PHRASE + 5,
    ),
    Rule(
        "make.killed",
        "killed",
        r"make(?:\[\d+\])?: \*\*\* .*(?:Error (?:137|143)|Killed|Terminated|Interrupt)",
        "make[1]: *** [Makefile:12: image] Error 137",
        "make[1]: *** [Makefile:12: image] Error 1",
        weight=PHRASE + 5,
    ),
    # ---- programs that crash with a trace
    Rule(
        "python.code",
        "config",
        (
            r"^\w*(?:\.\w+)*(?:NameError|SyntaxError|IndentationError|TabError|AttributeError|TypeError|ValueError"
            r"|IndexError|UnboundLocalError|ZeroDivisionError|UnicodeDecodeError|UnicodeEncodeError"
            r"|NotImplementedError|RecursionError|ConfigError|LookupError)\b"
        ),
        "NameError: name 'imge' is not defined",
        "no NameError",
        weight=SYMPTOM + 4,
    ),
    Rule(
        "java.classpath",
        "config",
        (
            r"NoClassDefFoundError|ClassNotFoundException|NoSuchMethodError|Could not find or load main class"
            r"|Unable to access jarfile|no main manifest attribute|Unrecognized VM option"
            r"|Could not create the Java Virtual Machine|Invalid (?:maximum|initial) heap size"
        ),
        "Error: Could not find or load main class org.x.Main",
        "class loaded",
        weight=PHRASE + 4,
        unless=r"insufficient memory|Could not reserve enough space",
    ),
    Rule(
        "perl.code",
        "config",
        (
            r"^(?:Can't locate object method|Undefined subroutine|Global symbol .* requires explicit"
            r"|Bareword \S+ not allowed|BEGIN failed--compilation aborted|Compilation failed in require"
            r"|syntax error at \S+ line|Can't call method)|(?:NoMethodError|undefined method"
            r"|undefined local variable|LoadError|cannot load such file)"
        ),
        "BEGIN failed--compilation aborted at /usr/bin/tool line 30.",
        "compiled",
        weight=SYMPTOM,
    ),
    Rule(
        "archive.corrupt",
        "infrastructure",
        (
            r"(?i)(?:gzip|xz|zstd|bzip2|unzip|tar|cpio|rpm2cpio|dpkg-deb|lzma)\S*: .*(?:unexpected end of (?:file"
            r"|input|data)|not in \w+ format|invalid compressed data|crc error|corrupt|truncated"
            r"|Compressed data is corrupt|Unexpected EOF|End-of-central-directory signature not found"
            r"|This does not look like a tar archive|invalid tar header|File format not recognized)"
            r"|zipfile\.BadZipFile|BadGzipFile|ReadError: (?:unexpected end|not a gzip)|zlib: "
            r"|error in opening zip file|ZipException|EOFError: Compressed file ended|cannot find zipfile directory"
            r"|unexpected end of (?:archive|file)\b"
        ),
        "gzip: stdin: unexpected end of file",
        "archive extracted",
        weight=CAUSE - 6,
        unless=r"(?i)syntax|looking for",
    ),
    Rule(
        "archive.failed",
        "config",
        (
            r"tar: Exiting with failure status|tar: Error is not recoverable|cp: (?:omitting|cannot)"
            r"|rsync error: (?:some files|error in file IO|syntax)|mv: cannot|install: cannot|ln: failed"
            r"|chmod: cannot|chown: (?:invalid|cannot)|dd: failed"
        ),
        "tar: Exiting with failure status due to previous errors",
        "tar: done",
        weight=VAGUE,
    ),
)
