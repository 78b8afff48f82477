# The state helper of the build state toolkit, for POSIX sh (with `local`), bash and zsh.
#
#   state CODE [NAME] -- COMMAND…     run a step as a numbered state
#   state_output NAME=VALUE…          remember values for what follows, also when the state is reused
#
# Inside `toolkit run` the helper talks to the supervisor through a FIFO and a pipe and starts no process. Both are opened
# through /proc/PID/fd, where nothing can hang: a supervisor that is gone is a path that does not exist, and one that goes
# while we wait is an end of file. Outside `toolkit run`, or when nobody listens, a step just runs.

# Bash copies a function's body and each of its commands whenever it is called, so what every state passes through is
# short, and what is rarely needed stands in functions of its own. A step may hold states itself: what is to be known
# after it is local.
state() {
    {
        local __tk_set=$- __tk_code="${1-}" __tk_attempt=''
        case $__tk_set in *x*) set +x ;; esac
        __tk_name='' __tk_guard='' __tk_command='' __tk_reused='' __tk_reply=usage
        case $# in 0) ;; *) shift ;; esac
        while case ${1---} in --) false ;; esac; do
            __tk_name="${__tk_name:+$__tk_name }$1"
            shift
        done
        case $# in
        0 | 1) ;;
        *)
            shift
            __tk_ask begin "$__tk_code" "$__tk_name"
            ;;
        esac
    } 2>/dev/null
    while :; do
        case $__tk_reply in
        'run '*' '* | 'again '*) __tk_prepare ;;
        'run '*)
            __tk_attempt=${__tk_reply#run }
            export TOOLKIT_STATE="$__tk_code" TOOLKIT_ATTEMPT="$__tk_attempt" TOOLKIT_LAST_CLASS=''
            ;;
        'done '*) __tk_rc=${__tk_reply#done }; break ;;
        'reuse'* | 'stop '* | usage | lost) __tk_otherwise; break ;;
        *)
            ! __tk_alone "before state $__tk_code" || exit 6
            __tk_trace
            "$@"
            return
            ;;
        esac
        case $__tk_command in ?*) set -- eval "$__tk_command" ;; esac
        case $__tk_guard in
        '')
            # Nothing may stand around the step: under `set -e` it must end the script just where it would without us.
            # The supervisor then learns of the failure from the end of the script.
            case $__tk_set in *x*) set -x ;; esac
            "$@"
            {
                __tk_rc=$? __tk_set=$-
                case $__tk_set in *x*) set +x ;; esac
                case $__tk_must in ?*) __tk_leave ;; esac
                __tk_ask 'end' "$__tk_code" "$__tk_rc"
            } 2>/dev/null
            ;;
        *)
            __tk_guarded "$@"
            {
                case $__tk_must in ?*) __tk_leave ;; esac
                __tk_ask 'end' "$__tk_code" "$__tk_rc"
            } 2>/dev/null
            ;;
        esac
        case $__tk_reply in '' | 'bad '*) __tk_reply=lost ;; esac
    done
    case $__tk_set in *x*) { set -x; return "$__tk_rc"; } 2>/dev/null ;; esac
    return "$__tk_rc"
}

state_output() {
    local __tk_pair __tk_old
    for __tk_pair in "$@"; do
        case $__tk_pair in
        [A-Za-z_]*=*) ;;
        *) echo "state_output: usage: state_output NAME=VALUE..." >&2; return 2 ;;
        esac
        # A state that was reused has set nothing: what is empty behind it must not wipe out what it gave when it ran.
        if [ -n "${__tk_reused-}" ] && [ -z "${__tk_pair#*=}" ]; then
            eval "__tk_old=\${${__tk_pair%%=*}-}"
            [ -z "$__tk_old" ] || continue
        fi
        eval "${__tk_pair%%=*}=\${__tk_pair#*=}"
        __tk_output "$__tk_pair"
    done
}

# Turn tracing back on if it was on.
__tk_trace() {
    case $__tk_set in *x*) set -x ;; esac
}

# Send one request; the answer is left in __tk_reply, empty when nobody listens. The caller silences it.
__tk_ask() {
    __tk_reply=
    case ${TOOLKIT_WIRE:-none}:${BASHPID-} in
    "${__tk_claimed-}") ;;
    *) __tk_connect || return 0 ;;
    esac
    [ "$__tk_asks" -ef "$__tk_dir/req" ] &&
        printf '%s\t%s\t%s\t%s\n' "$__tk_slot" "$1" "$2" "$3" 1<>"$__tk_dir/req" &&
        IFS= read -r __tk_reply <"$__tk_answers" || __tk_reply=
}

# Leave how a step ended, to be found should the supervisor be killed; half a record is no record.
__tk_leave() {
    printf '%s\n' "$__tk_rc" >|"$__tk_dir/ended.$__tk_code-$__tk_attempt" || :
}

# See to the answers after which a state is left without its step, or nothing more is asked about it.
__tk_otherwise() {
    case $__tk_reply in
    'reuse values') . "$__tk_dir/reply.$__tk_slot" ;;
    'stop '*) exit "${__tk_reply#stop }" ;;
    usage)
        echo "state: usage: state CODE [NAME] -- COMMAND [ARGUMENT]..." >&2
        __tk_rc=2
        return 0
        ;;
    lost)
        ! __tk_alone "after state $__tk_code" || exit 6
        return 0
        ;;
    esac
    __tk_reused=yes __tk_rc=0
}

# Tell whether the supervisor of a build that is to be resumed, not gone on with unwatched, has died.
__tk_alone() {
    [ -n "${TOOLKIT_WIRE-}" ] || return 1
    [ -e "${TOOLKIT_WIRE#*:*:}/alone" ] || return 1
    [ ! "/proc/${TOOLKIT_WIRE%%:*}/fd/${__tk_base-}" -ef "${__tk_dir-}/req" ] || return 1
    echo "toolkit: the supervisor of build ${TOOLKIT_BUILD-} is gone, so the build stops $1; resume it" >&2
}

# Values that do not fit into one short line go through a file.
__tk_output() {
    local __tk_newline='
'
    __tk_connect || return 0
    case $1 in
    *"$__tk_newline"*) ;;
    *)
        if [ "${#1}" -lt 1000 ]; then
            __tk_ask output '' "$1" 2>/dev/null
            return 0
        fi
        ;;
    esac
    printf '%s' "$1" >|"$__tk_dir/value.$__tk_slot" &&
        __tk_ask output-file '' "$__tk_slot" 2>/dev/null
}

# Find the supervisor and claim an answering line of our own; each (sub)shell needs one.
__tk_connect() {
    [ -n "${TOOLKIT_WIRE-}" ] || return 1
    local __tk_me='' __tk_rest='' __tk_clobber='' __tk_base=''
    if [ -n "${BASHPID-}" ]; then
        __tk_me=$BASHPID
    else
        read -r __tk_me __tk_rest </proc/self/stat || return 1
    fi
    __tk_dir=${TOOLKIT_WIRE#*:*:}
    __tk_base=${TOOLKIT_WIRE#*:}
    __tk_base=${__tk_base%%:*}
    __tk_asks=/proc/${TOOLKIT_WIRE%%:*}/fd/$__tk_base
    [ "$__tk_asks" -ef "$__tk_dir/req" ] || return 1
    [ "$__tk_me" != "${__tk_owner-}" ] || return 0
    case $- in *C*) __tk_clobber=yes ;; esac
    set -C
    __tk_owner=
    __tk_slot=1
    while [ "$__tk_slot" -le 64 ]; do
        if { printf '%s\n' "$__tk_me" >"$__tk_dir/slot.$__tk_slot"; } 2>/dev/null; then
            __tk_owner=$__tk_me
            break
        fi
        __tk_slot=$((__tk_slot + 1))
    done
    [ -n "$__tk_clobber" ] || set +C
    [ -n "$__tk_owner" ] || return 1
    __tk_answers=${__tk_asks%/*}/$((__tk_base + __tk_slot))
    __tk_must=
    [ ! -e "$__tk_dir/alone" ] || __tk_must=yes
    [ -z "${BASHPID-}" ] || __tk_claimed=$TOOLKIT_WIRE:$BASHPID
}

# Take a long answer apart: `run ATTEMPT GUARD LAST-CLASS COMMAND…`, with `-` for what is not there.
__tk_prepare() {
    local __tk_rest="${__tk_reply#* }"
    __tk_attempt=${__tk_rest%% *}
    __tk_rest=${__tk_rest#* }
    __tk_guard=${__tk_rest%% *}
    __tk_rest=${__tk_rest#* }
    export TOOLKIT_STATE="$__tk_code" TOOLKIT_ATTEMPT="$__tk_attempt" TOOLKIT_LAST_CLASS="${__tk_rest%% *}"
    __tk_command=${__tk_rest#* }
    [ "$__tk_guard" != - ] || __tk_guard=
    [ "$TOOLKIT_LAST_CLASS" != - ] || TOOLKIT_LAST_CLASS=
    [ "$__tk_command" != - ] || __tk_command=
    case $__tk_set in *e*) ;; *) __tk_guard= ;; esac
}

# A step that may be tried again under `set -e` runs in a subshell, where its failure ends only itself; what it did to
# variables and to the current directory is carried over when it succeeds.
__tk_guarded() {
    set +e
    (
        __tk_kept="$__tk_dir/kept.$__tk_slot"
        set -e
        __tk_trace
        "$@"
        { set +ex; } 2>/dev/null
        __tk_keep >|"$__tk_kept"
    )
    __tk_rc=$?
    if [ "$__tk_rc" -eq 0 ] && [ -s "$__tk_dir/kept.$__tk_slot" ]; then
        . "$__tk_dir/kept.$__tk_slot" 2>/dev/null
        : >|"$__tk_dir/kept.$__tk_slot"
    fi
    set -e
}

# Write the shell's variables as commands that set them again.
__tk_keep() {
    if [ -n "${BASH_VERSION-}" ]; then
        eval '
        local __tk_each __tk_ref __tk_text
        for __tk_each in $(compgen -v); do
            case $__tk_each in
            BASH* | __tk_* | FUNCNAME | PIPESTATUS | _ | EPOCH* | RANDOM | SRANDOM | SECONDS | LINENO | DIRSTACK | \
                EUID | UID | PPID | SHELLOPTS | HISTCMD | OPTIND | COMP_* | PWD | OLDPWD | GROUPS) continue ;;
            esac
            __tk_ref="$__tk_each[@]"
            __tk_text=${!__tk_ref@A}
            case $__tk_text in
            "declare -"*r*" "*) case ${__tk_text#declare -} in *r*" $__tk_each="*) continue ;; esac ;;
            "") continue ;;
            esac
            case $__tk_text in
            "declare "*) __tk_text="declare -g ${__tk_text#declare }" ;;
            esac
            printf "%s\n" "$__tk_text"
        done'
    elif [ -n "${ZSH_VERSION-}" ]; then
        eval '
        local __tk_each
        for __tk_each in ${(k)parameters}; do
            case ${parameters[$__tk_each]} in
            *readonly* | *special* | *local* | *hide*) continue ;;
            esac
            case $__tk_each in
            __tk_* | TOOLKIT_* | _) continue ;;
            esac
            typeset -p $__tk_each
        done' | sed 's/^typeset -\([^g]\)/typeset -g\1/; s/^export \([^-]\)/export \1/'
    else
        unset IFS # its value spans lines, which sed could not leave out; the subshell that we are in ends here anyway
        set | sed '/^\(PPID\|OPTIND\|PWD\|OLDPWD\|PS[124]\|__tk_[a-z]*\)=/d'
    fi
    printf 'cd "%s"\n' "$(pwd | sed 's/[\\"$`]/\\&/g')"
}
