"""What servers answer: limits, outages, refusals - whatever tool reports the status."""

from __future__ import annotations

from typing import Final

from toolkit.core.rules.rule import CAUSE, PHRASE, Rule

_SAID: Final = (
    r"(?:\bHTTP(?:/[\d.]+|S)?(?: (?:error|status|code|response|request failed with))*:?"
    r"|\bstatus(?:[ _]?code)?(?: was)?\"?|\bresponse(?: status)?(?: code)?|returned error|server returned"
    r"|error code|\bcode:|responded with|respond(?:ed)? with (?:status )?|ERROR|error|npm (?:error|ERR!)|got"
    r"|received|\b(?:GET|HEAD|POST|PUT|PATCH|DELETE) \S+|Exception)[ :=]{0,3}\"?"
)

RULES: Final = (
    Rule(
        "http.429",
        "rate_limited",
        rf"(?i){_SAID}429\b|\b429 +(?:Too Many|Client Error|Unknown)|\bToo Many Requests\b|\btoo many 429 error",
        "W: Failed to fetch http://deb.example/dists/bookworm/InRelease  429  Too Many Requests [IP: 203.0.113.1 80]",
        "Fetched 429 kB in 1s",
        weight=CAUSE + 6,
    ),
    Rule(
        "rate.limit",
        "rate_limited",
        (
            r"(?i)\brate[- ]?limit(?:ed|s|ing)? ?(?:exceeded|reached|hit|error|for)|(?:exceeded|hit|reached"
            r"|over) (?:a |the |your |our )?(?:secondary |api |pull |request |download )?rate[- ]?limit"
            r"|pull rate limit|\btoomanyrequests\b|secondary rate limit|abuse detection mechanism"
            r"|You have been (?:rate limited|throttled)|request (?:was )?throttled"
            r"|quota exceeded for quota metric .*per minute"
        ),
        "remote: error: API rate limit exceeded for 203.0.113.7",
        "rate limit set to 100 per second",
        weight=CAUSE + 6,
        unless=r"(?i)rate limit remaining|X-RateLimit|suppressed|printk|rate_limit *=",
    ),
    Rule(
        "http.503",
        "unavailable",
        (
            rf"(?i){_SAID}503\b|\b503 +(?:Service|Server Error|Backend|Slow)"
            r"|\bService (?:Temporarily )?Unavailable\b|\b503: "
        ),
        "fatal: unable to access 'https://git.example/app.git/': The requested URL returned error: 503",
        "allocated 503 pages",
        weight=CAUSE + 4,
    ),
    Rule(
        "http.502",
        "unavailable",
        rf"(?i){_SAID}502\b|\b502 +(?:Bad Gateway|Server Error|Proxy)|\bBad Gateway\b",
        "Server returned HTTP response code: 502 for URL: https://repo.example/x.jar",
        "allocated 502 pages",
        weight=CAUSE + 4,
    ),
    Rule(
        "http.504",
        "unavailable",
        rf"(?i){_SAID}504\b|\b504 +(?:Gateway|Server Error)|\bGateway Time-?out\b",
        "ERROR: HTTP error 504 while getting https://files.example/x.whl",
        "504 tests collected",
        weight=CAUSE + 4,
    ),
    Rule(
        "http.5xx",
        "unavailable",
        (
            rf"(?i){_SAID}5(?:0[015-9]|2\d|30)\b|\b50[015-9] +(?:Internal Server Error|Server Error"
            r"|Not Implemented)|\bInternal Server Error\b|too many 5\d\d error|\breturned 50[0234](?:[,.;:]|$)|server error '5\d\d"
        ),
        "requests.exceptions.HTTPError: 500 Server Error: Internal Server Error for url: https://api.example/v1",
        "HTTP 200 OK, 500 bytes",
        weight=CAUSE + 3,
        unless=r"(?i)exit(?:ed)?(?: with)?(?: code| status)|E  +assert|\bassert\b",
    ),
    Rule(
        "service.unavailable",
        "unavailable",
        (
            r"(?i)\b(?:service|server|backend|endpoint|upstream|registry|repository|mirror"
            r"|cluster) (?:is )?(?:currently |temporarily )?(?:unavailable|overloaded|busy|down for maintenance"
            r"|under maintenance)|temporarily unavailable\b.*(?:service|server|again later)|(?:under|in"
            r"|for) (?:scheduled )?maintenance|\bplease try again later\b|license server (?:busy|unavailable"
            r"|unreachable)|no (?:available|healthy) (?:servers?|upstream|backends?)|server is (?:too )?busy"
            r"|The server is (?:currently )?unable to handle|unable to return a response in the time allotted|upstream connect error|upstream request timeout"
            r"|server error: .*\(5\d\d\)"
        ),
        "upload failed: the registry is temporarily unavailable, please try again later",
        "maintenance window configured",
        weight=PHRASE + 8,
        unless=r"(?i)resource temporarily unavailable|systemd|unit ",
    ),
    Rule(
        "http.407",
        "auth",
        rf"(?i){_SAID}407\b",
        "Server responded with 407",
        "407 packages",
        weight=CAUSE + 4,
    ),
    Rule(
        "http.401",
        "auth",
        (
            rf"(?i){_SAID}401\b|\b401 +(?:Unauthorized|Client Error|Authorization)|\bHTTP 401\b|(?:: "
            r"|^)Unauthorized\b|\bunauthorized: |status: 401|HttpError 401"
        ),
        "requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url: https://api.example/v1",
        "401 files copied",
        weight=CAUSE + 4,
    ),
    Rule(
        "http.403",
        "auth",
        rf"(?i){_SAID}403\b|\b403 +(?:Forbidden|Client Error|Access)|\b403: |(?:: |^)Forbidden\b",
        "E: Failed to fetch https://repo.example/dists/stable/InRelease  403  Forbidden [IP: 203.0.113.5 443]",
        "403 tests passed",
        weight=CAUSE + 3,
        unless=r"(?i)rate.?limit|SlowDown|throttl|from proxy",
    ),
    Rule(
        "http.404",
        "dependency",
        rf"(?i){_SAID}404\b|\b404 +(?:Not Found|Client Error)|\b404: Not Found|HTTP 404\b|Status code: 404",
        "curl: (22) The requested URL returned error: 404",
        "404 files copied",
        weight=CAUSE,
        unless=r"^(?:Ign|Hit|Get):",
    ),
    Rule(
        "http.410",
        "dependency",
        rf"(?i){_SAID}4(?:10|51)\b|\b410 +Gone",
        "curl: (22) The requested URL returned error: 410",
        "410 bytes",
        weight=CAUSE,
    ),
    Rule(
        "http.4xx",
        "config",
        (
            rf"(?i){_SAID}4(?:0[0569]|1[13-8]|22|31)\b|\b400 +(?:Bad Request|Client Error)|\b413 +(?:Request Entity"
            r"|Payload)|\b422 +Unprocessable|\b405 +Method Not"
        ),
        "curl: (22) The requested URL returned error: 400",
        "400 bytes",
        weight=CAUSE - 4,
        unless=r"(?i)quota|exit(?:ed)?(?: with)?(?: code| status)",
    ),
    Rule(
        "http.408",
        "network",
        rf"(?i){_SAID}408\b|\b408 +Request Time",
        "curl: (22) The requested URL returned error: 408",
        "408 bytes",
        weight=CAUSE,
    ),
    Rule(
        "http.redirects",
        "config",
        (
            r"(?i)curl: \(47\)|too many redirects|redirect loop|Maximum \(\d+\) redirects followed"
            r"|stopped after \d+ redirects"
        ),
        "curl: (47) Maximum (50) redirects followed",
        "redirect ok",
        weight=CAUSE,
    ),
    Rule(
        "http.error",
        "unavailable",
        r"curl: \(22\)$|wget: server returned error",
        "curl: (22)",
        "curl: (6) no",
        weight=PHRASE,
    ),
)
