"""Ansible: playbooks, modules, connections, privileges."""

from __future__ import annotations

from typing import Final

from toolkit.core.rules.rule import CAUSE, PHRASE, SYMPTOM, Rule

RULES: Final = (
    # ---- Ansible
    Rule(
        "ansible.undefined",
        "config",
        (
            r"(?i)(?:'[\w.\[\]]+' is undefined|has no attribute '[^']+'|AnsibleUndefinedVariable|undefined variable"
            r"|The task includes an option with an undefined variable|VARIABLE IS NOT DEFINED"
            r"|dict object.* has no attribute|template error while templating|error while (?:evaluating conditional"
            r"|resolving value|templating)|AnsibleTemplate|The conditional check .* failed)"
        ),
        (
            'fatal: [web]: FAILED! => {"msg": "The task includes an option with an undefined variable. The error'
            " was: 'image_ownr' is undefined\"}"
        ),
        "variable defined",
        weight=CAUSE,
        unless=r"(?i)AttributeError: |module '\w+' has no attribute|object has no attribute|ignored=",
    ),
    Rule(
        "ansible.syntax",
        "config",
        (
            r"(?i)ERROR!? ?.*(?:Syntax Error while loading YAML|no (?:module/)?action detected"
            r"|conflicting action statements|couldn't resolve module/action|is not a valid attribute for a"
            r"|unexpected parameter type|failed at splitting arguments|playbook .* could not be found"
            r"|the playbook: .* could not be found)|YAML parsing failed"
            r"|We were unable to read either as JSON nor YAML|couldn't resolve module/action"
            r"|Unsupported parameters for|missing required arguments|value of .* must be one of"
            r"|parameters are (?:mutually exclusive|required together)|is not a valid attribute for"
            r"|mapping values are not allowed|could not find expected|did not find expected"
            r"|found character .* that cannot start any token|found undefined alias|Failed to template"
            r"|Invalid/incorrect (?:username|option)|argument .* is of type .* and we were unable to convert"
        ),
        (
            "ERROR! couldn't resolve module/action 'ansible.posix.sysclt'. This often indicates a misspelling,"
            " missing collection, or incorrect module path."
        ),
        "playbook syntax ok",
        weight=CAUSE + 1,
    ),
    Rule(
        "ansible.role_missing",
        "config",
        (
            r"(?i)the role '.*' was not found|could not find or access '|\bwas NOT installed successfully|ansible-galaxy.*(?:was NOT installed"
            r"|Unable to find|not found)|Unable to retrieve file contents|(?:handler|listener) '.*' was not found"
            r"|The requested handler|could not locate file in lookup|unable to find '.*' in expected paths"
            r"|Failed to resolve the requested (?:dependencies map|collection)|the collection .* (?:was not found"
            r"|does not support)|lookup plugin '.*' not found|vars file .* was not found"
        ),
        "ERROR! the role 'monitoring_agent' was not found in /srv/roles",
        "role found",
        weight=CAUSE + 1,
    ),
    Rule(
        "ansible.vault",
        "auth",
        (
            r"(?i)no vault secrets found|Decryption failed \(no vault secrets|vault password file .* was not found"
            r"|incorrect vault password|Attempting to decrypt but"
        ),
        "ERROR! Attempting to decrypt but no vault secrets found",
        "vault opened",
        weight=CAUSE + 6,
    ),
    Rule(
        "ansible.become",
        "auth",
        (
            r"(?i)Missing sudo password|Incorrect (?:sudo|su|become) password|sudo: a (?:terminal is required"
            r"|password is required)|is not in the sudoers file|sudo: no tty present"
            r"|Timeout \(\d+s\) waiting for privilege escalation|sudo: \d+ incorrect password attempts"
            r"|user .* is not allowed to execute"
        ),
        'fatal: [web]: FAILED! => {"msg": "Missing sudo password"}',
        "become: true",
        weight=CAUSE + 6,
    ),
    Rule(
        "ansible.unreachable_dns",
        "config",
        r"UNREACHABLE! .*(?:Name or service not known|nodename nor servname)",
        (
            'fatal: [box]: UNREACHABLE! => {"msg": "Failed to connect to the host via ssh: ssh: Could not resolve'
            ' hostname build7.lan: Name or service not known"}'
        ),
        'fatal: [box]: UNREACHABLE! => {"msg": "Connection timed out"}',
        weight=CAUSE + 4,
    ),
    Rule(
        "ansible.unreachable_auth",
        "auth",
        (
            r"UNREACHABLE! .*(?:Permission denied|Authentication fail|Host key verification failed"
            r"|Invalid/incorrect password|Too many authentication failures|ntlm: the specified credentials)"
        ),
        (
            'fatal: [box]: UNREACHABLE! => {"msg": "Failed to connect to the host via ssh: root@192.0.2.1:'
            ' Permission denied (publickey)."}'
        ),
        'fatal: [box]: UNREACHABLE! => {"msg": "Connection timed out"}',
        weight=CAUSE + 6,
    ),
    Rule(
        "ansible.unreachable_local",
        "config",
        (
            r"UNREACHABLE! .*(?:connect to host (?:localhost|127\.0\.0\.1|192\.168\.122\.\d+"
            r"|10\.0\.2\.\d+) port \d+: Connection refused)"
        ),
        'fatal: [vm]: UNREACHABLE! => {"msg": "ssh: connect to host 127.0.0.1 port 2222: Connection refused"}',
        'fatal: [vm]: UNREACHABLE! => {"msg": "ssh: connect to host build7.example port 22: Connection refused"}',
        weight=CAUSE + 6,
    ),
    Rule(
        "ansible.unreachable",
        "network",
        r"UNREACHABLE! |(?i:Failed to connect to the host via (?:ssh|winrm))|unreachable=[1-9]",
        (
            'fatal: [box]: UNREACHABLE! => {"changed": false, "msg": "Failed to connect to the host via ssh:'
            ' Connection timed out", "unreachable": true}'
        ),
        "box : ok=4 changed=2 unreachable=0 failed=0",
        weight=SYMPTOM + 25,
    ),
    Rule(
        "ansible.no_hosts",
        "config",
        (
            r"(?i)Could not match supplied host pattern|no hosts matched|provided hosts list is empty"
            r"|Unable to parse .* as an inventory source|No inventory was parsed"
            r"|Specified (?:hosts and/or )?--limit does not match any hosts"
        ),
        "ERROR! Specified hosts and/or --limit does not match any hosts",
        "hosts matched",
        weight=PHRASE + 3,
        unless=r"only implicit localhost is available|^\[WARNING\]: (?:No inventory|provided)",
    ),
    Rule(
        "ansible.python",
        "dependency",
        (
            r"(?i)(?:python|module) .* (?:is )?required (?:for|on|by) (?:this module|the remote|\S+)"
            r"|The .* Python module is required|Failed to import the required Python library"
            r"|MODULE FAILURE.*(?:No module named|python)|/usr/bin/python\S*: (?:not found|No such file)"
            r"|ansible_python_interpreter|Could not import python modules|is too old for ansible"
            r"|ansible-core requires|python3?-(?:apt|dnf|libselinux).* (?:must|required|missing)"
            r"|No start of json char found"
        ),
        (
            'fatal: [web]: FAILED! => {"msg": "Failed to import the required Python library (docker) on web\'s'
            ' Python /usr/bin/python3."}'
        ),
        "python found",
        weight=CAUSE - 2,
        unless=r"(?i)\[WARNING\]|DEPRECATION|discovered",
    ),
    Rule(
        "ansible.missing_thing",
        "config",
        (
            r"(?i)Destination directory .* does not exist|Destination .* not writable|Could not find or access"
            r"|(?:src|source|path|file) .{1,200}(?:not found|does not exist)|Remote (?:copy|end) (?:does"
            r"|do) not (?:have|exist)|(?:group|user) \S+ does not exist|failed to look up user|chown failed"
            r"|Failed to (?:find|locate) required executable|Path .* does not exist|the file .* does not exist"
        ),
        'fatal: [rootfs]: FAILED! => {"msg": "Destination directory /etc/sysctl.d does not exist"}',
        "destination directory created",
        weight=PHRASE + 9,
        unless=r"(?i)^W:|warning|ls: |repository|creating",
    ),
    Rule(
        "ansible.assert",
        "test",
        r'(?i)"msg": "(?:Assertion failed|.*assertion:)|"evaluated_to": false|"assertion": ',
        (
            'fatal: [web]: FAILED! => {"assertion": "x == 1", "changed": false, "evaluated_to": false, "msg":'
            ' "Assertion failed"}'
        ),
        '{"msg": "All assertions passed"}',
        weight=CAUSE - 1,
    ),
    Rule(
        "ansible.wait_for",
        "timeout",
        (
            r"(?i)Timeout when waiting for (?:127\.0\.0\.1|localhost|search string|file|\S+ to (?:stop|drain))"
            r"|timed out waiting for ping module test|Timed out waiting for (?:last boot time|reboot)"
            r"|async task did not complete|rebooting.*(?:timed? out|failed)|Timeout waiting for .* to (?:become|be"
            r"|start|stop|appear)"
        ),
        'fatal: [web]: FAILED! => {"elapsed": 600, "msg": "Timed out waiting for last boot time check (timeout=600)"}',
        'ok: [web] => {"elapsed": 6}',
        weight=CAUSE - 2,
    ),
    Rule(
        "ansible.command",
        "config",
        r'(?:fatal|failed): \[[^\]]+\].*FAILED! => .*(?:"rc": ?[1-9]\d*|non-zero return code|Error executing command)',
        'fatal: [web]: FAILED! => {"changed": true, "cmd": ["false"], "msg": "non-zero return code", "rc": 1}',
        'ok: [web] => {"rc": 0}',
        weight=SYMPTOM + 3,
    ),
    Rule(
        "ansible.failed",
        "config",
        r"(?:fatal|failed): \[[^\]]+\].*(?:FAILED!|=> )|\bfailed=[1-9]\d* +(?:skipped|\s*$)|^ERROR! |^\[ERROR\]: ",
        'fatal: [web]: FAILED! => {"changed": false, "msg": "something else went wrong"}',
        "web : ok=4 changed=2 unreachable=0 failed=0",
        weight=SYMPTOM - 4,
        unless=r"(?i)\[ERROR\] (?:Tests|Failures|test)|UNREACHABLE",
    ),
)
