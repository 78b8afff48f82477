"""The wire between us and others: time-outs, refusals, names, certificates, proxies."""

from __future__ import annotations

from typing import Final

from toolkit.core.rules.rule import CAUSE, PHRASE, SYMPTOM, Rule

_HERE: Final = r"(?:localhost|127\.0\.0\.1|\[?::1\]?|0\.0\.0\.0|10\.0\.2\.15|192\.168\.122\.\d+)"
_TEST_TALK: Final = r"(?i)^E  +|AssertionError|expected:? ?<|\bassert\b|\[INFO\]|\bDEBUG\b"

RULES: Final = (
    # ---- a service of the build itself, not the network
    Rule(
        "local.refused",
        "config",
        (
            r"(?i)(?:ssh: connect to host|curl: \(7\) Failed to connect to|Failed to connect to|Could not connect to"
            rf"|connect(?:ing|ion)? to|dial tcp|connect ECONNREFUSED) ?{_HERE}\b.*(?:refused|Couldn.t connect)"
        ),
        "curl: (7) Failed to connect to localhost port 8080 after 0 ms: Connection refused",
        "curl: (7) Failed to connect to mirror.example port 80 after 3 ms: Connection refused",
        weight=CAUSE + 2,
        unless=r"npm |FetchError|https?://(?:[a-z0-9-]+\.)+[a-z]{2,}|Err:|proxy|\(127\.0\.0\.1\)\. - connect",
    ),
    Rule(
        "local.refused",
        "config",
        (
            r"(?i)(?:requests\.exceptions\.ConnectionError|urllib3\.exceptions\.MaxRetryError"
            r"|HTTPConnectionPool).{0,40}host='(?:localhost|127\.0\.0\.1)'.*refused"
        ),
        (
            "requests.exceptions.ConnectionError: HTTPConnectionPool(host='localhost', port=5000): Max retries"
            " exceeded with url: /health (Caused by NewConnectionError('Connection refused'))"
        ),
        (
            "requests.exceptions.ConnectionError: HTTPConnectionPool(host='api.example.com', port=80): Max retries"
            " exceeded with url: / (Caused by NewConnectionError('Connection refused'))"
        ),
        weight=CAUSE + 1,
        unless=r"Retrying \(Retry|after connection broken",
    ),
    # ---- time-outs
    Rule(
        "net.timeout",
        "network",
        r"curl: \(28\)|(?i:curl.{0,30}operation timed out|Operation too slow\. Less than)",
        "curl: (28) Operation timed out after 8001 milliseconds with 0 bytes received",
        "curl: (22) The requested URL returned error: 404",
    ),
    Rule(
        "net.timeout",
        "network",
        (
            r"(?i)\bconnection timed out|connect(?:ion)? time-?out\b|connect timed out"
            r"|network (?:is )?time(?:d )?-?out|\bETIMEDOUT\b|\bESOCKETTIMEDOUT\b|i/o timeout|TLS handshake timeout"
            r"|net/http: request canceled.*(?:timeout|exceeded)|Client\.Timeout (?:exceeded|or context)"
        ),
        "dial tcp 203.0.113.9:443: i/o timeout",
        "test timed out after 300 seconds",
        weight=PHRASE + 5,
        unless=rf"{_TEST_TALK}|time-?out (?:is |was )?(?:set|changed|configured|defaults)\b",
    ),
    Rule(
        "net.timeout",
        "network",
        (
            r"(?i)Read ?timed ?out|server's identity: timed out|(?:read|write) operation timed out|ReadTimeout(?:Error)?\b|ConnectTimeout(?:Error)?\b|SocketTimeoutException"
            r"|HttpConnectTimeoutException|read timeout at|socket\.timeout|SSL read: .*timed out"
            r"|recv failure: .*timed out|request timed out|gateway time-?out while"
        ),
        (
            "urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool(host='pypi.example', port=443): Read timed"
            " out. (read timeout=15)"
        ),
        "the unit test for readers timed outside of the sandbox",
        weight=PHRASE + 5,
        unless=_TEST_TALK,
    ),
    Rule(
        "net.timeout",
        "network",
        (
            r"Connection failure: timed out|Connection timed out during banner exchange"
            r"|ssh: connect to host .* port \d+: (?:Connection|Operation) timed out|Timeout (?:was reached"
            r"|reached while (?:connect|download|fetch|read|access|transfer|send|receiv))|Network timeout\b"
        ),
        "ssh: connect to host build7.example port 22: Connection timed out",
        "ssh: connect to host build7.example port 22: Permission denied",
    ),
    # ---- refused, reset, unreachable
    Rule(
        "net.refused",
        "network",
        (
            r"curl: \(7\)|(?i:ssh: connect to host .* port \d+: Connection refused"
            r"|Failed to connect to .{1,120} port \d+|Could not connect to .{1,120}(?:refused|\(111))"
        ),
        "curl: (7) Failed to connect to files.example port 443 after 12 ms: Couldn't connect to server",
        "curl: (28) Connection timed out after 8001 milliseconds",
        weight=CAUSE,
    ),
    Rule(
        "net.refused",
        "network",
        (
            r"(?i)\bECONNREFUSED\b|\bconnection refused\b|ConnectionRefusedError|actively refused it"
            r"|failed: Connection refused"
        ),
        "wget: can't connect to remote host (203.0.113.7): Connection refused",
        "connection accepted",
        weight=PHRASE,
        unless=_TEST_TALK,
    ),
    Rule(
        "net.reset",
        "network",
        (
            r"(?i)\bECONNRESET\b|connection reset by (?:peer|remote)|ConnectionResetError"
            r"|recv failure: connection (?:was )?reset"
            r"|connection (?:was )?(?:forcibly )?closed by (?:the )?(?:remote|peer)|(?:remote end|server) (?:closed"
            r"|hung up)|socket hang up|\bPROTOCOL_ERROR\b|_ERROR; received from peer|Connection aborted|broken pipe.*(?:send|upload)|connection lost"
        ),
        "fatal: unable to access 'https://git.example/app.git/': Recv failure: Connection reset by peer",
        "connection pool reset to defaults",
        weight=PHRASE + 5,
        unless=_TEST_TALK,
    ),
    Rule(
        "net.reset",
        "network",
        (
            r"curl: \((?:16|18|52|55|56|92|95)\)|(?i:transfer closed with .* remaining|Empty reply from server"
            r"|HTTP/2 stream \d+ was not closed cleanly|unexpected end of file.*curl"
            r"|fetch-pack: unexpected disconnect|early EOF$|RPC failed; (?:curl|HTTP|result)"
            r"|the remote end hung up unexpectedly)"
        ),
        "curl: (52) Empty reply from server",
        "curl: (60) SSL certificate problem: self-signed certificate",
        unless=r"RPC failed; HTTP [45]\d\d|error: [45]\d\d",
    ),
    Rule(
        "net.unreachable",
        "network",
        (
            r"(?i)network is unreachable|\bENETUNREACH\b|\bEHOSTUNREACH\b|no route to host|host is (?:down"
            r"|unreachable)|network (?:is )?down\b|Destination (?:host|net) unreachable"
            r"|software caused connection abort"
        ),
        "connect to 203.0.113.4 port 443 failed: No route to host",
        "no routes defined",
        weight=PHRASE + 5,
        unless=rf"{_TEST_TALK}|connect to (?:\w+ )?bus",
    ),
    Rule(
        "net.truncated",
        "network",
        (
            r"(?i)IncompleteRead\(|incomplete (?:read|download)|premature (?:end of|close|EOF)"
            r"|unexpected EOF (?:while|when) (?:reading|downloading)|Content-Length.*(?:mismatch|but received"
            r"|too (?:short|small))|download (?:is |was )?(?:truncated|incomplete|interrupted)|ChunkedEncodingError"
            r"|\b(?:Get|Head|Post|Put) .{0,2}https?://\S+ (?:unexpected )?EOF\b|connection broken: |response ended prematurely|ERR_CONTENT_LENGTH|short read.*http"
            r"|^ERROR: Wheel '[^']*' located at \S+ is invalid"
        ),
        "urllib3.exceptions.ProtocolError: ('Connection broken: IncompleteRead(1024 bytes read, 4096 more expected)')",
        "reading is complete",
        weight=PHRASE + 6,
        unless=r"Retrying \(Retry",
    ),
    Rule(
        "net.refused",
        "network",
        (
            r"(?i)failed to establish a new connection|NewConnectionError|Max retries exceeded with url"
            r"|unable to connect to (?:the )?(?:remote|server|host|https?:)|could not connect to (?:the )?(?:server"
            r"|host|remote|https?:)|Cannot connect to (?:host|server|https?:)"
        ),
        (
            "HTTPSConnectionPool(host='repo.example', port=443): Max retries exceeded with url: /x (Caused by"
            " NewConnectionError)"
        ),
        "connection established",
        weight=PHRASE,
        unless=(
            r"SSLError|CERTIFICATE|ProxyError|too many 5\d\d|too many 429|Name or service not known"
            r"|Temporary failure|refused"
        ),
    ),
    # ---- names
    Rule(
        "dns.unknown_host",
        "config",
        (
            r"(?i)could not resolve hostname .{1,255}(?:Name or service not known|nodename nor servname"
            r"|No address associated)|(?:Could not resolve|unable to resolve|lookup"
            r"|resolve host).{0,30}\b[\w.-]+\.(?:invalid|localdomain)\b.{0,80}(?:no such host|not known"
            r"|not found|NXDOMAIN)"
        ),
        "ssh: Could not resolve hostname build7: Name or service not known",
        "ssh: Could not resolve hostname build7: Temporary failure in name resolution",
        weight=CAUSE + 1,
    ),
    Rule(
        "dns.resolve",
        "network",
        (
            r"(?i)curl: \(6\)|could not resolve (?:host|proxy|hostname|'|\S+\.\S+)|couldn't resolve (?:host|proxy)"
            r"|temporary failure (?:in name resolution|resolving)|temporarily unable to resolve|Could not resolve: "
            r"|unable to resolve host (?:address )?\S"
        ),
        "curl: (6) Could not resolve host: mirror.example.org",
        "Could not resolve dependencies for project app",
        unless=r"(?i)sudo: unable to resolve host|dependenc|artifact|could not resolve [\w.-]+:[\w.-]+:",
    ),
    Rule(
        "dns.resolve",
        "network",
        (
            r"(?i)name or service not known|nodename nor servname|no such host\b|\bEAI_AGAIN\b"
            r"|getaddrinfo (?:ENOTFOUND|EAI_AGAIN|failed)|NameResolutionError|UnknownHostException"
            r"|Name does not resolve|getaddrinfo.*(?:fail|error)|gaierror|server misbehaving|DNS (?:lookup"
            r"|resolution|query) (?:failed|timed? ?out|error)|SERVFAIL|NXDOMAIN|No address associated with hostname"
            r"|unknown host\b|communications error to \S+#53|no (?:name)?servers could be reached"
        ),
        "dial tcp: lookup registry.corp.net on 10.0.0.2:53: no such host",
        "the name of the service is known",
        weight=PHRASE + 8,
        unless=rf"{_TEST_TALK}|sudo: unable to resolve",
    ),
    # ---- TLS
    Rule(
        "tls.expired",
        "config",
        (
            r"(?i)certificate (?:has |is )?expired|certificate is not yet valid"
            r"|certificate has expired or is not yet valid|CERT_HAS_EXPIRED|expired certificate"
            r"|certificate verify failed: certificate has expired|NotAfter|x509: certificate has expired"
        ),
        "curl: (60) SSL certificate problem: certificate has expired",
        "certificate renewed",
        weight=CAUSE + 4,
    ),
    Rule(
        "tls.untrusted",
        "config",
        (
            r"(?i)self[- ]signed certificate|SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED"
            r"|unable to get local issuer certificate|UNABLE_TO_(?:GET_ISSUER|VERIFY_LEAF)"
            r"|certificate signed by unknown authority|PKIX path building failed"
            r"|unable to find valid certification path|certificate verify failed|CERTIFICATE_VERIFY_FAILED"
            r"|server certificate verification failed|cannot verify .*'s certificate|cannot validate certificate for|Certificate verification failed|certificate issuer is unknown"
            r"|The certificate is NOT trusted|curl: \(60\)|Peer's Certificate issuer is not recognized"
            r"|no alternative certificate subject name matches|certificate is valid for .*, not "
            r"|hostname .* doesn't match|ERR_TLS_CERT_ALTNAME_INVALID|SSL: no alternative certificate"
        ),
        "curl: (60) SSL certificate problem: self-signed certificate",
        "certificate verified",
        weight=CAUSE + 2,
    ),
    Rule(
        "tls.protocol",
        "config",
        (
            r"(?i)wrong version number|unsupported protocol|no protocols available|tlsv1 alert protocol version"
            r"|UNSUPPORTED_PROTOCOL|sslv3 alert handshake failure|no shared cipher|dh key too small|ca md too weak"
            r"|unsafe legacy renegotiation|first record does not look like a TLS handshake"
            r"|http: server gave HTTP response to HTTPS client|Unsupported or unrecognized SSL message"
            r"|packet length too long|legacy sigalg disallowed|SSL routines::(?:unsupported|no |unknown|invalid|bad|dh |ee |ca )"
            r"|requires a client certificate|certificate required"
        ),
        "curl: (35) OpenSSL/3.0.19: error:0A00010B:SSL routines::wrong version number",
        "version number ok",
        weight=CAUSE + 2,
    ),
    Rule(
        "tls.ca_missing",
        "config",
        (
            r"(?i)curl: \(77\)|error setting certificate (?:verify locations|file)|Problem with the SSL CA cert"
            r"|No system certificates available|ca-certificates.*(?:missing|not installed)"
            r"|could not load (?:PEM )?client certificate|curl: \(58\)"
        ),
        "curl: (77) error setting certificate verify locations: CAfile: /etc/pki/tls/certs/ca-bundle.crt",
        "certificate file set",
    ),
    Rule(
        "tls.handshake",
        "network",
        (
            r"(?i)curl: \(35\)|SSL_ERROR_SYSCALL|SSL connect(?:ion)? error|gnutls_handshake\(\) failed"
            r"|TLS (?:handshake|connection) (?:failed|error|was non-properly terminated)|ssl handshake (?:failed"
            r"|failure)|SSLHandshakeException: Remote host (?:closed|terminated)"
            r"|EOF occurred in violation of protocol|unexpected eof while reading|Could not handshake"
        ),
        "curl: (35) OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to files.example:443",
        "TLS handshake complete",
        weight=CAUSE - 5,
    ),
    # ---- proxies and portals
    Rule(
        "proxy.auth",
        "auth",
        (
            r"(?i)\b407\b.{0,5}Proxy Auth|Proxy Authentication Required|HTTP code 407 from proxy|response 407"
            r"|authenticationrequired.*proxy|proxy.*(?:authentication (?:failed|required)|\b407\b)"
        ),
        "curl: (56) Received HTTP code 407 from proxy after CONNECT",
        "proxy authenticated",
        weight=CAUSE + 5,
    ),
    Rule(
        "proxy.failed",
        "network",
        (
            r"(?i)\bProxyError\b|Cannot connect to proxy|tunnel connection failed: 5\d\d|proxy CONNECT aborted"
            r"|curl: \((?:5|97)\)|HTTP code 5\d\d from proxy|unable to connect to proxy|proxyconnect tcp"
        ),
        "requests.exceptions.ProxyError: HTTPSConnectionPool(host='pypi.example', port=443): Cannot connect to proxy.",
        "proxy set to none",
        weight=PHRASE + 12,
    ),
    Rule(
        "proxy.denied",
        "auth",
        (
            r"(?i)HTTP code 403 from proxy|tunnel connection failed: 40[13]|blocked by (?:the )?(?:proxy|firewall"
            r"|policy)|ERR_ACCESS_DENIED|X-Squid-Error"
        ),
        "curl: (56) Received HTTP code 403 from proxy after CONNECT",
        "access allowed by the proxy",
        weight=CAUSE + 1,
    ),
    Rule(
        "net.captive_portal",
        "auth",
        (
            r"(?i)does the network require authentication|NOSPLIT|captive portal|invalid json response body .*<"
            r"|Unexpected token '?<'?,? .{0,40}(?:not valid JSON|in JSON)"
        ),
        "Clearsigned file isn't valid, got 'NOSPLIT' (does the network require authentication?)",
        "valid JSON",
        weight=CAUSE + 3,
    ),
    Rule(
        "ntp.skew",
        "config",
        (
            r"(?i)is not valid yet \(invalid for|Release file .* is (?:not valid yet|expired)|clock skew (?:detected"
            r"|too great)|RequestTimeTooSkewed|Signature (?:not yet current|expired)|is not yet valid.*clock"
            r"|system (?:clock|time) (?:is )?(?:wrong|off)"
        ),
        (
            "E: Release file for http://deb.example/dists/bookworm/InRelease is not valid yet (invalid for another"
            " 918d 0h 16min 26s)."
        ),
        "Release file is valid",
        weight=CAUSE + 2,
        unless=r"(?i)modification time|make: warning|ntp",
    ),
    Rule(
        "net.wait_for",
        "network",
        (
            r"Timeout when waiting for [\w.-]+:\d+"
            r"|timed? ?out (?:while )?waiting for .{0,60} to (?:become (?:reachable|available)|accept connections"
            r"|respond)"
        ),
        (
            'fatal: [web]: FAILED! => {"changed": false, "elapsed": 300, "msg": "Timeout when waiting for'
            ' db.example:5432"}'
        ),
        "Timeout when waiting for file /run/ready",
        weight=CAUSE,
    ),
    Rule(
        "net.wrong_url",
        "config",
        (
            r"(?i)curl: \((?:1|3)\)|unsupported protocol scheme|URL using bad/illegal format|malformed (?:URL|URI)"
            r"|Invalid URL|unknown url type|no schema supplied|MissingSchema"
        ),
        "curl: (3) URL using bad/illegal format or missing URL",
        "curl: (35) SSL connect error",
        weight=SYMPTOM + 30,
    ),
)
