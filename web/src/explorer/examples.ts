/** One worked example for each system: the tabs a person finds at the first visit. A test validates them by the schema. */
export interface Example {
  query: string;
  variables?: string;
}

const json = (value: unknown) => JSON.stringify(value, null, 2);

const webauth: Example = {
  query: `# Web authentication: who is asking, and how do
# they get in? The session is an HttpOnly cookie:
# nothing has to be set here.
query Me {
  me {
    user {
      id
      kind
      name
      email
      createdAt
    }
    permissions
    emails {
      email
      primary
    }
    hasPassword
  }
  myFactors {
    items {
      kind
      name
      lastUsedAt
    }
    recoveryCodesLeft
  }
  authSettings {
    registration
    providers {
      key
      name
    }
  }
}
`,
};

const sessions: Example = {
  query: `# Sessions: choose one at the run button.
# When a session ends, its sockets close with it.
query MySession {
  me {
    session {
      id
      createdAt
      lastSeenAt
      expiresAt
      authenticatedAt
      methods
      userAgent
      ip
      current
    }
  }
}

# Sensitive fields answer REAUTH_REQUIRED unless
# authenticatedAt is recent. This begins a proof.
mutation Elevate {
  elevate {
    required {
      flow
      factors
      expiresAt
    }
  }
}

# What a program does: with BEARER the payload
# holds the token.
mutation SignInMail($ask: RequestSignInMailInput!) {
  requestSignInMail(input: $ask) {
    flow
    expiresAt
  }
}

mutation SignInWithMail($input: SignInWithMailInput!) {
  signInWithMail(input: $input) {
    result {
      __typename
      ... on SignedIn {
        token
        session {
          id
          expiresAt
        }
      }
      ... on FactorRequired {
        flow
        factors
      }
    }
  }
}
`,
  variables: json({
    ask: { email: 'you@example.com' },
    input: { flow: 'of requestSignInMail', code: '000000', transport: 'BEARER' },
  }),
};

const roles: Example = {
  query: `# Roles form a graph without cycles.
# \`can\` is answered in memory and says why.
query Can($checks: [CheckInput!]!) {
  can(checks: $checks) {
    allowed
    reason
  }
  roles(first: 20) {
    nodes {
      key
      name
      permissions
      includes {
        key
      }
      effectivePermissions
    }
  }
}
`,
  variables: json({
    checks: [
      { permission: 'registry.document.create' },
      { permission: 'rbac.grant.write' },
      { permission: 'no.such.permission' },
    ],
  }),
};

const plans: Example = {
  query: `# Plans: choose one at the run button. The first
# shows what is on offer, where you are, and what is
# left of it; the second what a change would cost, and
# gives the token that the third takes up.
query Plans {
  plans {
    id
    key
    name
    prices {
      key
      amountMinor
      currency
      every {
        n
        unit
      }
    }
    features {
      feature
      on
      value
      limit
      onOver
      reset
    }
  }
  membership {
    plan {
      key
      version
    }
    status
    standing
    periodEnd
    balance {
      amountMinor
      currency
    }
  }
  entitlements {
    feature
    kind
    limit
    used
    remaining
    level
    why
  }
}

query Preview($change: PreviewChangeInput!) {
  previewChange(input: $change) {
    token
    expiresAt
    effectiveAt
    lines {
      kind
      text
      amountMinor
    }
    due {
      amountMinor
      currency
    }
    overQuota {
      feature
      limit
      used
    }
  }
}

mutation TakeUp($input: ChangePlanInput!) {
  changePlan(input: $input) {
    result {
      __typename
      ... on MembershipChanged {
        membership {
          status
          plan {
            key
          }
        }
      }
      ... on CheckoutRequired {
        url
      }
    }
  }
}

subscription Usage($channels: [ChannelInput!]!) {
  live(channels: $channels) {
    kind
    seq
    error {
      code
      message
    }
    data {
      ... on UsageList {
        usage {
          feature
          used
          remaining
          level
        }
      }
    }
  }
}
`,
  variables: json({
    change: { addon: 'more-documents', quantity: 1, mode: 'AUTO' },
    input: { token: 'the token of the preview' },
    channels: [{ key: 'usage', usage: { features: ['registry.documents'] } }],
  }),
};

const registry: Example = {
  query: `# Content types: a document points at any object,
# and knows what points at it.
query Documents($type: String!) {
  documents(type: $type, first: 5) {
    nodes {
      id
      label
      data
      references {
        path
        target {
          __typename
          ... on Document {
            id
            label
            backlinks(first: 3) {
              nodes {
                path
                from {
                  id
                  label
                }
              }
            }
          }
        }
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
`,
  variables: json({ type: 'movie' }),
};

const analytics: Example = {
  query: `# Analytics: choose one at the run button.
# Report reads rollups by the minute. Track stores
# an event once, however often its id is sent.
query Report($input: ReportInput!) {
  report(input: $input) {
    from
    to
    source
    exact
    points {
      at
      key
      value
      count
    }
  }
}

mutation Track($events: [EventInput!]!) {
  track(input: { events: $events }) {
    accepted
    duplicates
  }
}
`,
  variables: json({
    input: { metric: 'flights.delay', aggregate: 'AVG', step: 'MINUTE', last: 15, top: 10 },
    events: [
      {
        id: 'explorer-example-1',
        name: 'flight',
        dims: { origin: 'SFO', destination: 'JFK' },
        values: { delay: 12 },
      },
    ],
  }),
};

// All said, though the schema has defaults: the editor underlines a missing field even where there is one.
const recent = { step: 'MINUTE', last: 5, top: 10 };

const live: Example = {
  query: `# Live: three channels over one socket. Each
# begins with a SNAPSHOT and goes on with DELTAs.
subscription Live($channels: [ChannelInput!]!) {
  live(channels: $channels) {
    channel
    kind
    seq
    at
    error {
      code
      message
    }
    data {
      __typename
      ... on Report {
        points {
          at
          key
          value
          count
        }
      }
      ... on ReportDelta {
        dropped
        points {
          at
          key
          value
          count
        }
      }
      ... on DocumentList {
        documents {
          id
          label
        }
      }
      ... on DocumentListDelta {
        changes {
          op
          index
          document {
            id
            label
          }
        }
      }
    }
  }
}
`,
  variables: json({
    channels: [
      { key: 'flights', report: { ...recent, metric: 'flights.count', aggregate: 'COUNT' } },
      { key: 'delay', report: { ...recent, metric: 'flights.delay', aggregate: 'AVG' } },
      { key: 'notes', documents: { type: 'note', first: 5 } },
    ],
  }),
};

export const examples: Example[] = [webauth, sessions, roles, plans, registry, analytics, live];
