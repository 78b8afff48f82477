"""Tools that build and configure machines: Packer, Terraform, Vagrant, cloud-init, Puppet, Salt."""

from __future__ import annotations

from typing import Final

from toolkit.core.rules.rule import CAUSE, PHRASE, SYMPTOM, VAGUE, Rule

RULES: Final = (
    # ---- Packer
    Rule(
        "packer.template",
        "config",
        (
            r"(?i)Failed to (?:initialize build|parse (?:template|config)|prepare build)|Unknown (?:builder"
            r"|provisioner|post-processor|source|data source)|error initializing builder"
            r"|Error: (?:Unsupported (?:argument|block type|attribute)|Missing required argument|Unset variable"
            r"|Invalid (?:expression|reference|block definition|template|value|function|character|number literal"
            r"|multi-line)|Reference to undeclared|Argument or block definition required|Undefined -?var"
            r"|Missing (?:newline|item)|Attribute redefined|Duplicate|Unclosed|Insufficient \w+ blocks"
            r"|Incorrect attribute value type|No value for required variable|Variables not allowed"
            r"|Failed to read (?:the )?variable|Inconsistent)|Template validation failed|\d+ error\(s\) (?:occurred"
            r"|decoding)|The template is invalid|unknown configuration key|A .* must be specified|Bad source"
            r"|unset variable"
        ),
        'Error: Failed to initialize build "nul"',
        "The configuration is valid.",
        weight=CAUSE + 1,
    ),
    Rule(
        "packer.plugin",
        "dependency",
        (
            r"(?i)Missing plugins|The following plugins are required, but not installed|could not (?:find"
            r"|install) (?:any |the )?plugin|Failed to install plugin|Failed getting the \"?.*plugin|no plugin installed for"
            r"|Plugin .* (?:incompatible|crashed)|Failed to (?:install|instantiate) provider"
            r"|Could not (?:retrieve|load) (?:the list of available|plugin)|Provider .*(?:not available"
            r"|registry .* does not have)|Required plugins are not installed|Inconsistent dependency lock file"
            r"|no available releases match|Module not installed|Failed to download module|provider .* was not found"
        ),
        "Error: Missing plugins",
        "plugins installed",
        weight=PHRASE - 1,
        unless=r"(?i)timeout|connection|could not connect|deadline|dial tcp|no such host|\b5\d\d\b|429",
    ),
    Rule(
        "packer.ssh",
        "timeout",
        (
            r"(?i)Timeout waiting for (?:SSH|WinRM)|timeout waiting for (?:ssh|winrm) to become available"
            r"|Waiting for (?:SSH|WinRM).*(?:timed out|timeout)|Error waiting for (?:SSH|WinRM)"
            r"|Timeout waiting for IP|Build .* errored.*Timeout waiting"
        ),
        "==> qemu.green: Timeout waiting for SSH.",
        "==> qemu.green: Waiting for SSH to become available...",
        weight=CAUSE + 1,
        unless=r"handshake",
    ),
    Rule(
        "packer.ssh_auth",
        "auth",
        (
            r"(?i)ssh: handshake failed|ssh: unable to authenticate|Packer experienced an authentication error"
            r"|Error waiting for SSH: .*authentica|attempted methods \["
        ),
        "Error waiting for SSH: Packer experienced an authentication error when trying to connect via SSH.",
        "Connected to SSH!",
        weight=CAUSE + 2,
        unless=r"(?i)EOF|reset by peer|timeout|refused",
    ),
    Rule(
        "packer.iso",
        "config",
        (
            r"(?i)(?:iso|checksum).{0,40}(?:Checksums did not match|checksum (?:did not match|mismatch|invalid))"
            r"|error downloading ISO: .*404|invalid checksum|bad response code: 404"
        ),
        "==> qemu.green: error downloading ISO: [bad response code: 404]",
        "checksums match",
        weight=CAUSE + 3,
    ),
    Rule(
        "packer.download",
        "network",
        (
            r"(?i)(?:error|failed).{0,20}download(?:ing)? (?:ISO|image|box|file)|ISO download failed|Download failed"
            r"|All download attempts failed|failed to download"
        ),
        "==> qemu.green: ISO download failed.",
        "download complete",
        weight=PHRASE + 6,
        unless=r"\b40[134]\b|Not Found|No space|checksum",
    ),
    Rule(
        "packer.output_exists",
        "dirty",
        r"(?i)Output directory '?.*'? already exists|Use the force flag to delete it|build .* errored.*already exists",
        "Output directory 'output-green' already exists. Use the force flag to delete it prior to building.",
        "output directory created",
        weight=CAUSE + 5,
    ),
    Rule(
        "packer.script",
        "config",
        (
            r"(?i)Script (?:exited with non-zero exit status|disconnected unexpectedly)|Error (?:executing"
            r"|running) (?:Ansible|shell|script|provisioner|Chef|Puppet)|Provisioning step had errors"
            r"|exit status \d+.*provision|provisioner .* (?:failed|returned)|Build '.*' errored after"
            r"|Some builds didn't complete successfully"
        ),
        (
            "Build 'qemu.green' errored after 4 minutes: Script exited with non-zero exit status: 2.Allowed exit"
            " codes are: [0]"
        ),
        "Build 'qemu.green' finished after 4 minutes.",
        weight=VAGUE + 8,
    ),
    Rule(
        "packer.boot",
        "config",
        (
            r"(?i)Error launching VM|Qemu failed to start|Error running boot command|Failed to (?:boot"
            r"|start) (?:the )?(?:VM|virtual machine)|Error starting VM|VBoxManage error"
        ),
        "==> qemu.green: Error launching VM: Qemu failed to start. Please run with PACKER_LOG=1 to get more info.",
        "==> qemu.green: Starting VM, booting from CD-ROM",
        weight=SYMPTOM + 10,
    ),
    # ---- Terraform
    Rule(
        "terraform.lock",
        "contention",
        (
            r"(?i)Error acquiring the state lock|Error locking state|state (?:is )?(?:already )?locked"
            r"|ConditionalCheckFailedException|Lock Info:|state blob is already locked|failed to lock (?:state|s3)"
        ),
        "Error: Error acquiring the state lock",
        "Acquiring state lock. This may take a few moments...",
        weight=CAUSE + 5,
        unless=r"Acquiring state lock\.",
    ),
    Rule(
        "terraform.exists",
        "dirty",
        (
            r"(?i)(?:EntityAlreadyExists|AlreadyExistsException|BucketAlreadyOwnedByYou|InvalidGroup\.Duplicate"
            r"|alreadyExists|resource (?:already exists|that already exists)"
            r"|already exists - to be managed via Terraform|A resource with the ID .* already exists"
            r"|\bConflict\b.*already exists|Duplicate (?:resource|name))"
        ),
        (
            'Error: A resource with the ID "/subscriptions/x" already exists - to be managed via Terraform this'
            " resource needs to be imported"
        ),
        "resource created",
        weight=CAUSE + 2,
    ),
    Rule(
        "terraform.config",
        "config",
        (
            r"(?i)Error: (?:Reference to|Unsupported|Invalid|Missing (?:required|resource|name|map|item|newline"
            r"|attribute|argument)|Module|Cycle|Duplicate|Unknown|Backend (?:configuration|initialization)"
            r"|Provider configuration|No configuration files|Could not load plugin|Resource (?:instance|not found)"
            r"|Provider produced|Plugin did not respond|Incorrect|Error in function call|Failed to (?:decode|load"
            r"|read) .*(?:file|variable|state))|Terraform (?:initialized in an empty|version constraint)"
            r"|This configuration does not support Terraform version|Instance cannot be destroyed"
            r"|Saved plan is stale|Inappropriate value for attribute"
        ),
        "Error: Cycle: aws_instance.a, aws_instance.b",
        "Plan: 3 to add",
        weight=PHRASE + 10,
    ),
    # ---- others
    Rule(
        "vagrant.box",
        "dependency",
        r"(?i)The box '.*' could not be found or|(?:couldn't|could not) be found in the remote catalog",
        "The box 'green/base' could not be found or",
        "Importing base box",
    ),
    Rule(
        "vagrant.failed",
        "config",
        (
            r"(?i)The guest additions .* could not be found|Vagrantfile.*(?:error|not found|failed)"
            r"|There are errors in the configuration of this machine|The provider '.*' (?:could not be found"
            r"|that was requested)|A Vagrant environment or target machine is required"
        ),
        "There are errors in the configuration of this machine.",
        "Importing base box",
        weight=PHRASE + 5,
    ),
    Rule(
        "cloudinit.failed",
        "config",
        (
            r"(?i)cloud-init.*(?:\[(?:ERROR|CRITICAL)\]|Failed (?:to|running|loading)|status: error"
            r"|schema.*(?:invalid|error))|Cloud config schema errors|Invalid (?:schema: )?(?:user-data|cloud-config)|util\.py\[WARNING\]: (?:Failed"
            r"|Running module .* failed)"
        ),
        "cloud-init[812]: util.py[WARNING]: Running module scripts-user failed",
        "cloud-init finished",
        weight=PHRASE - 5,
    ),
    Rule(
        "agent.busy",
        "contention",
        r"(?i)(?:run of .{1,60}|puppet|chef|salt|agent|client) (?:run )?(?:is )?already in progress|agent_catalog_run\.lock|chef.client.{0,40} is running, will wait for it|The function \"?state\.\w+\"? is running as PID",
        "Notice: Run of Puppet configuration client already in progress; skipping",
        "Notice: Applied catalog in 3 seconds",
        weight=CAUSE - 2,
    ),
    Rule(
        "agent.silent",
        "network",
        r"(?i)minion did not return|\bno (?:response|return|reply) (?:was )?received from (?:the )?(?:minion|agent|target|node)s?|salt request timed out|No minions matched the target",
        "    Minion did not return. [Not connected]",
        "    Minion returned",
        weight=CAUSE - 4,
        unless=r"(?i)No minions matched",
    ),
    Rule(
        "catalog.broken",
        "config",
        r"(?i)Server Error: (?:Evaluation Error|Could not (?:find|parse|autoload)|Syntax error|.*(?:Unknown variable|Duplicate declaration))|Evaluation Error: |Could not match node\b|Duplicate declaration: |Data failed to compile|Rendering SLS .* failed",
        "Error 500 on SERVER: Server Error: Evaluation Error: Unknown variable: x",
        "Notice: Compiled catalog in 0.2 seconds",
        weight=CAUSE + 6,
    ),
    Rule(
        "puppet.failed",
        "config",
        (
            r"(?i)Error: (?:Could not (?:retrieve catalog|find (?:class|resource|dependency)|parse for environment)"
            r"|Evaluation Error|Execution of '.*' returned)|Failed to apply catalog|Recipe Compile Error"
            r"|Chef::Exceptions|No matching sls found|State '.*' was not found"
        ),
        "Error: Could not find class ::profile::builder for node1",
        "Applied catalog in 3 seconds",
        weight=PHRASE + 9,
    ),
)
