"""What ends a build from outside: lost machines, cancelled jobs, time limits, crashes."""

from __future__ import annotations

from typing import Final

from toolkit.core.rules.rule import CAUSE, PHRASE, Rule

RULES: Final = (
    Rule(
        "machine.lost",
        "infrastructure",
        (
            r"(?i)(?:lost (?:communication|connection) with (?:the )?(?:server|agent|runner|node|worker|host)"
            r"|runner (?:has )?(?:received a shutdown signal|lost|went offline)|agent (?:went offline"
            r"|was (?:removed|disconnected)|is offline)|node .*(?:was (?:removed|preempted|terminated|deleted)"
            r"|not ?ready|went away)|spot (?:instance )?(?:interruption|termination)"
            r"|Cannot contact .*: java\.lang\.Interrupted|hudson\.remoting\.(?:ChannelClosed|RequestAborted)"
            r"|(?:executor|worker|machine|vm) (?:was )?(?:evicted|preempted|reclaimed)|pod .*(?:evicted|deleted)"
            r"|hypervisor (?:error|failure)|No space.*runner|Job failed \(system failure\)|Backing channel .* is disconnected"
            r"|java\.nio\.channels\.ClosedChannelException|FATAL: command execution failed)"
        ),
        "The self-hosted runner: builder7 lost communication with the server.",
        "runner online",
        weight=CAUSE,
    ),
    Rule(
        "machine.cancelled",
        "killed",
        (
            r"(?i)^\W*(?:##\[error\])?The (?:operation|job|run|build|workflow) was cancell?ed|build was aborted"
            r"|Aborted by user|Interrupted by user|KeyboardInterrupt|signal: (?:terminated|interrupt|killed)"
            r"|\bsignal (?:9|15|SIG(?:TERM|KILL|INT)) received|(?:received|caught|got) (?:signal )?(?:SIG)?(?:TERM|INT|HUP|KILL|15|2)\b|code=killed, status=\d+/(?:KILL|TERM)|Terminated$|\bKilled$|line \d+: +\d+ (?:Killed|Terminated)\b"
            r"|exit(?:ed with)? (?:code|status):? ?(?:137|143)\b|Sending interrupt signal to process"
            r"|Exited \(137\)|command terminated by signal (?:9|15)|^Killed\b"
        ),
        "##[error]The operation was canceled.",
        "operation complete",
        weight=PHRASE,
        unless=r"(?i)qemu-system-\w+: terminating|oom|timed out after|longer than the maximum",
    ),
    Rule(
        "machine.time_limit",
        "timeout",
        (
            r"(?i)(?:job|step|build|task|action|script|command|process|workflow|test"
            r"|playbook) .{0,60}(?:has )?(?:exceeded|reached) (?:the )?(?:maximum |its |configured |hard "
            r"|wall )?(?:execution |time ?(?:out)?|run ?time)(?: limit| of)?|(?:timed out|timeout) after \d+ ?(?:s"
            r"|sec|seconds?|m|min|minutes?|h|hours?)\b|execution (?:took longer|expired)|\b(?:ran|running|run|took|taking) (?:for )?longer than (?:the |its |your )?(?:maximum|allowed|max|configured|limit|time)"
            r"|terminating on signal 15 from pid \d+ \(timeout\)|deadline exceeded|Timeout has been exceeded"
            r"|Build timed out|timeout: sending signal|exceeded (?:the |its |a )?\w* ?time limit|time limit (?:exceeded|reached)|wall-?clock (?:time|limit)"
            r"|context deadline exceeded|TimeoutExpired|time-?out (?:of )?\d+ ?\w* (?:was |has been )?exceeded"
        ),
        "ERROR: Job failed: execution took longer than 1h0m0s seconds",
        "finished within the time limit",
        weight=PHRASE - 3,
        unless=(
            r"(?i)curl|https?://|fetch|connect|dial|download|npm|ReadTimeout|testT?imed|TestTimedOut|^E  +"
            r"|\[ERROR\] test"
        ),
    ),
    Rule(
        "machine.no_output",
        "stall",
        (
            r"(?i)no output (?:has been received|received|for|in the last) .{0,40}(?:minutes?|seconds?|m\b|s\b)"
            r"|Too long with no output|stalled build|produced no output|appears to (?:be )?(?:hung|stuck|stalled)"
            r"|no progress (?:for|in) \d+|inactivity time-?out"
        ),
        "No output has been received in the last 10m0s, this potentially indicates a stalled build",
        "output received",
        weight=CAUSE - 4,
    ),
    Rule(
        "crash.segfault",
        "killed",
        (
            r"(?i)segmentation fault|\bSIGSEGV\b|core dumped|\bSIGABRT\b|\bSIGBUS\b|bus error\b"
            r"|illegal instruction|\bSIGILL\b|stack smashing detected|double free or corruption"
            r"|A fatal error has been detected by the Java Runtime|internal compiler error"
            r"|forked VM terminated without|Gradle build daemon disappeared unexpectedly|The JVM process crashed|fatal error: unexpected signal"
        ),
        "line 12:  4711 Segmentation fault      (core dumped) ./mkimage",
        "no crash",
        weight=PHRASE + 8,
        unless=r"internal compiler error: Killed",
    ),
)
