/** The ways in which an S3 store says no, as data: how each is known, what it means, and whether it passes. */

export type Trouble = {
  /** One sentence that says what is wrong and what to mend. */
  readonly message: string
  /** Try again later; try once more with credentials read anew; or nothing helps but a person. */
  readonly next: 'again' | 'renew' | 'giveUp'
}

/** What the sentences name. */
export type Place = {
  readonly bucket: string
  readonly region: string
  /** None: AWS. */
  readonly endpoint?: string
  readonly pathStyle: boolean
  /** Whether the credentials come from a Secret. */
  readonly secret: boolean
}

/** For a store that would overwrite. */
export function ignoresConditions(place: Pick<Place, 'endpoint' | 'region'>): string {
  return `${nameOf(place)} ignores If-None-Match, so one run could overwrite another's segments: use a store that honours conditional writes, like AWS S3.`
}

/** The store, as sentences name it. */
export function nameOf({ endpoint, region }: Pick<Place, 'endpoint' | 'region'>): string {
  return endpoint === undefined ? `S3 in ${region}` : endpoint.replace(/^https?:\/\//, '')
}

type Naming = Place & { readonly at: string; readonly code: string; readonly right: string | undefined }
type Refusal = { readonly codes: RegExp; readonly next: Trouble['next']; readonly message: (named: Naming) => string }

/** By the store's own code, or where it gives none by the status; the first that fits. */
export const refusals: readonly Refusal[] = [
  {
    codes: /^NoSuchBucket$/,
    next: 'giveUp',
    message: ({ at, bucket }) =>
      `The bucket ${bucket} does not exist at ${at}: create it, or correct the sink's bucket.`,
  },
  {
    codes: /^(InvalidAccessKeyId|SignatureDoesNotMatch|InvalidClientTokenId|NotSignedUp|XAdminUserNotFound)$/,
    next: 'renew',
    message: ({ at, secret }) =>
      `${at} rejects the access key: check ${secret ? "accessKeyId and secretAccessKey in the sink's Secret" : "the pod's role"}.`,
  },
  {
    codes: /^(ExpiredToken\w*|TokenRefreshRequired|InvalidToken|InvalidSecurity)$/,
    next: 'renew',
    message: ({ at, secret }) =>
      `The temporary credentials for ${at} have expired: ${secret ? "renew the sink's Secret, sessionToken included" : "check the pod's role"}.`,
  },
  {
    codes: /Quota|Storage(Full|Exceeded)|InsufficientStorage|^507$/,
    next: 'giveUp',
    message: ({ at, code }) =>
      `${at} is full or its quota is exhausted (${code}): enlarge it, or delete segments older than two days.`,
  },
  {
    codes: /^(\w+Redirect|Redirect|AuthorizationHeaderMalformed|IllegalLocationConstraintException|30[1278])$/,
    next: 'giveUp',
    message: ({ bucket, region, right }) =>
      `The bucket ${bucket} is not in the region ${region}${right === undefined ? '' : ` but in ${right}`}: correct the sink's region or endpoint.`,
  },
  {
    codes: /^(RequestTimeTooSkewed|RequestExpired)$/,
    next: 'again',
    message: ({ at }) => `The clocks of ${at} and the node differ too much: check NTP on both.`,
  },
  {
    codes: /^(AccessDenied|AllAccessDisabled|AccountProblem|KMS\.\w+|401|403)$/,
    next: 'renew',
    message: ({ at, bucket, code }) =>
      `${at} denies access (${code}): allow s3:PutObject and s3:GetObject below the sink's prefix, s3:ListBucket on the bucket ${bucket}, and its KMS key if any.`,
  },
  {
    codes: /^InvalidObjectState$/,
    next: 'giveUp',
    message: () => 'A segment was moved to an archive class: keep the last two days in a class with immediate access.',
  },
  {
    codes: /^(EntityTooLarge|413)$/,
    next: 'giveUp',
    message: ({ at, code }) => `A segment is too large for ${at} (${code}): raise its limit, or the proxy's, to 64 MB.`,
  },
  { codes: /^(NotImplemented|501)$/, next: 'giveUp', message: ignoresConditions },
  {
    codes:
      /^(SlowDown|RequestTimeout|InternalError|ServiceUnavailable|ConditionalRequestConflict|OperationAborted|BadDigest|IncompleteBody|XAmzContentSHA256Mismatch|Throttl\w+|408|429|5\d\d)$/,
    next: 'again',
    message: ({ at, code }) => `${at} is currently unavailable (${code}): check its health.`,
  },
]
