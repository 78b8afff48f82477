"""Cloud APIs: AWS, Azure, Google Cloud, OpenStack, VMware - throttling, quota, capacity, rights."""

from __future__ import annotations

from typing import Final

from toolkit.core.rules.rule import CAUSE, PHRASE, Rule

RULES: Final = (
    Rule(
        "cloud.throttled",
        "rate_limited",
        (
            r"(?i)\bThrottling(?:Exception|Error)?\b|ThrottledException|RequestLimitExceeded"
            r"|TooManyRequestsException|RequestThrottled|SlowDown\b|Rate exceeded|rateLimitExceeded"
            r"|userRateLimitExceeded|ProvisionedThroughputExceeded|OperationNotAllowed.*throttl"
            r"|SubscriptionRequestsThrottled|RESOURCE_EXHAUSTED.*(?:rate|per minute|requests)"
            r"|Quota exceeded for quota metric .*(?:per minute|requests)|ServerBusy\b|BandwidthLimitExceeded"
            r"|OverLimit.*(?:rate|retry)|EC2ThrottledException|\breduce your request rate"
        ),
        "Error: RequestLimitExceeded: Request limit exceeded. status code: 503",
        "throttle disabled",
        weight=CAUSE + 8,
    ),
    Rule(
        "cloud.capacity",
        "unavailable",
        (
            r"(?i)InsufficientInstanceCapacity|InsufficientCapacity|Insufficient capacity"
            r"|ZONE_RESOURCE_POOL_EXHAUSTED|does not have enough resources available|SkuNotAvailable"
            r"|AllocationFailed|OverconstrainedAllocation|ZonalAllocationFailed|No valid host was found"
            r"|SpotMaxPriceTooLow|capacity-not-available|\bresource_unavailable\b|placement_error\b|MaxSpotInstanceCountExceeded|no capacity|capacity exhausted"
            r"|Out of (?:host )?capacity|stockout|Unsupported.*Availability Zone"
        ),
        (
            "Error launching source instance: InsufficientInstanceCapacity: We currently do not have sufficient"
            " t3.large capacity in the Availability Zone you requested"
        ),
        "capacity reserved",
        weight=CAUSE + 6,
    ),
    Rule(
        "cloud.quota",
        "resource",
        (
            r"(?i)(?:Vcpu|Instance|Address|Volume|Snapshot|Vpc|Bucket|Security[ -]?Group|NatGateway|Route|Resource"
            r"|Max\w+|MaxStorage|Network\w*)(?:Count|s)?LimitExceeded|LimitExceededException"
            r"|Quota ['\"]?\S+['\"]? exceeded|QuotaExceeded|quotaExceeded|QUOTA_EXCEEDED|exceed(?:s|ed"
            r"|ing) (?:the |your |approved )?(?:\S+ )?quota|quota (?:has been |was |is |limit )?(?:exceeded"
            r"|reached)|OverQuota|ServiceQuotaExceeded|Quota exceeded for (?:instances|cores|ram|volumes"
            r"|resources)|TooManyBuckets|CLOUD_QUOTA|not enough quota|no more IP addresses available|IpAddressGenerationFailure|reached (?:your|the) (?:limit|quota)"
            r"|limit (?:of|for) .* (?:has been )?(?:reached|exceeded)"
        ),
        "VcpuLimitExceeded: You have requested more vCPU capacity than your current vCPU limit of 32 allows",
        "quota raised",
        weight=CAUSE + 5,
        unless=r"(?i)per minute|rate limit|throttl|disk|time limit|too many requests",
    ),
    Rule(
        "cloud.server_error",
        "unavailable",
        (
            r"(?i)\bInternalFailure\b|\bInternalError\b|ServiceUnavailable(?:Exception|Error)?\b"
            r"|\bInternalServerError\b|RequestTimeout(?:Exception)?\b|backendError|internalServerError"
            r"|\bUNAVAILABLE: |503 UNAVAILABLE|code = (?:Unavailable|Internal)\b|GatewayTimeout"
            r"|An internal error (?:has )?occurred|ServerTimeout|HTTPInternalServerError"
            r"|The service is currently unavailable|Service Fault|RetryableError|InternalServiceError"
            r"|We encountered an internal error|RequestError: send request failed"
        ),
        "An error occurred (InternalError) when calling the RunInstances operation: An internal error has occurred",
        "UNAVAILABLE option",
        weight=CAUSE,
        unless=r"SSL|certificate|connection refused",
    ),
    Rule(
        "cloud.auth",
        "auth",
        (
            r"(?i)UnauthorizedOperation|AuthFailure|InvalidClientTokenId|SignatureDoesNotMatch"
            r"|ExpiredToken(?:Exception)?|InvalidAccessKeyId|AccessDenied(?:Exception)?\b|AuthorizationFailed"
            r"|InvalidAuthenticationToken|AADSTS\d+|(?-i:PERMISSION_DENIED)|(?-i:UNAUTHENTICATED)"
            r"|Required '[\w.]+' permission|invalid_grant|invalid_client|OptInRequired"
            r"|is not authorized to perform|Could not find credentials|NoCredentialProviders"
            r"|no valid credential sources|Unable to locate credentials|RequestExpired"
            r"|Application Default Credentials|The request you have made requires authentication"
            r"|UnrecognizedClientException|NoAuthHandlerFound|AuthorizationHeaderMalformed|OAuth.*(?:error"
            r"|invalid)|Please run 'az login'|gcloud auth login|ClientAuthenticationError"
            r"|MissingAuthenticationToken|IncompleteSignature|Cannot complete login due to an incorrect user name"
        ),
        (
            "UnauthorizedOperation: You are not authorized to perform this operation. Encoded authorization"
            " failure message: x"
        ),
        "authorized",
        weight=CAUSE + 6,
    ),
    Rule(
        "cloud.not_found",
        "config",
        (
            r"(?i)Invalid\w+\.(?:NotFound|Malformed)|Invalid(?:AMIID|Subnet(?:ID)?|Group|KeyPair|VpcID|InstanceID|Snapshot|Volume|Parameter(?:Value"
            r"|Combination)?|Instance(?:Type|Profile)?|Zone|AvailabilityZone|Resource\w*"
            r"|Template\w*)\.?(?:NotFound|Malformed|Unavailable|Unknown)?(?:Exception)?: |NoSuchBucket|NoSuchKey"
            r"|NoSuchEntity|ResourceNotFound(?:Exception)?|ResourceGroupNotFound|ImageNotFound|\bNotFoundException"
            r"|ValidationException|ValidationError: |MissingParameter|UnsupportedOperation|DryRunOperation"
            r"|MalformedPolicyDocument|(?:flavor|image|network|keypair) .* (?:could not be found|not found)"
            r"|InvalidApiVersion|The resource '.*' was not found|No (?:image|AMI) (?:was found|found|matching)"
            r"|HTTPNotFound|Error 400: Invalid"
        ),
        "InvalidAMIID.NotFound: The image id '[ami-0abc]' does not exist",
        "image registered",
        weight=CAUSE - 3,
    ),
    Rule(
        "cloud.dependency_violation",
        "dirty",
        (
            r"(?i)DependencyViolation|ResourceInUse(?:Exception)?|IncorrectInstanceState|IncorrectState"
            r"|InvalidState\w*|BucketNotEmpty|resource .* is in use|VolumeInUse"
            r"|resourceInUseByAnotherResource"
            r"|is in (?:the )?state .* (?:and|but|which) (?:can|must)|PendingVerification"
        ),
        "DependencyViolation: resource sg-0a1 has a dependent object",
        "dependency ok",
        weight=CAUSE - 4,
    ),
    Rule(
        "cloud.conflict",
        "contention",
        (
            r"(?i)AnotherOperationInProgress|OperationAborted|ConcurrentModification|OperationInProgress"
            r"|conflicting (?:conditional )?operation is (?:currently )?in progress|ConditionalCheckFailed"
        ),
        'Code="AnotherOperationInProgress" Message="Another operation on this resource is in progress."',
        "operation done",
        weight=CAUSE - 3,
    ),
    Rule(
        "cloud.wait",
        "timeout",
        (
            r"(?i)(?:ResourceNotReady|exceeded wait attempts|timeout while waiting for (?:state|resource|plugin)"
            r"|Error waiting for .* to (?:become|be|reach|complete)|waiter .* (?:failed|timed out)"
            r"|Max attempts exceeded|timed out waiting for (?:instance|AMI|image|snapshot|volume|stack))"
        ),
        "Error waiting for AMI: ResourceNotReady: exceeded wait attempts",
        "waiting for AMI to become ready",
        weight=CAUSE - 2,
    ),
    Rule(
        "cloud.stack_failed",
        "config",
        (
            r"(?i)ROLLBACK_(?:IN_PROGRESS|COMPLETE|FAILED)|CREATE_FAILED|UPDATE_FAILED|DeploymentFailed"
            r"|The deployment '.*' failed"
        ),
        "CREATE_FAILED AWS::EC2::Instance Builder",
        "CREATE_COMPLETE AWS::EC2::Instance Builder",
        weight=PHRASE - 8,
    ),
    Rule(
        "vsphere.failed",
        "infrastructure",
        (
            r"(?i)ServerFaultCode|A general system error occurred|vim\.fault\.\w+"
            r"|The operation is not allowed in the current state|Cannot (?:connect to host"
            r"|complete the operation).*vSphere|Host .* is not (?:connected|responding)|vCenter.*(?:unavailable"
            r"|unreachable)"
        ),
        "ServerFaultCode: A general system error occurred: Connection refused",
        "vCenter connected",
        weight=PHRASE + 10,
        unless=r"(?i)incorrect user name|permission|NoPermission",
    ),
)
