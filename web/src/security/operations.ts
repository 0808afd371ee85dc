import { graphql, type ResultOf } from '../gql/graphql';
import { SECURITY_EVENT, SESSION } from '../session/fragments';

export const SECURITY = graphql(
  `
    query Security {
      me {
        user { id kind name username email }
        emails { email primary verifiedAt }
        locale
        hasPassword
        factorRequired
      }
      myFactors { items { id kind name createdAt lastUsedAt } recoveryCodesLeft }
      myIdentities { id provider email createdAt lastUsedAt }
      mySessions(first: 100) { nodes { ...SessionFields } }
      myDevices { id client lastSeenAt trustedUntil }
    }
  `,
  [SESSION],
);

export const UPDATE_ME = graphql(`
  mutation UpdateMe($input: UpdateMeInput!) {
    updateMe(input: $input) { user { id name username } }
  }
`);

export const ADD_EMAIL = graphql(`
  mutation AddEmail($input: AddEmailInput!) {
    addEmail(input: $input) { flow expiresAt }
  }
`);

export const SET_PRIMARY_EMAIL = graphql(`
  mutation SetPrimaryEmail($input: SetPrimaryEmailInput!) {
    setPrimaryEmail(input: $input) { emails { email primary } }
  }
`);

export const REMOVE_EMAIL = graphql(`
  mutation RemoveEmail($input: RemoveEmailInput!) {
    removeEmail(input: $input) { emails { email primary } }
  }
`);

export const CHANGE_PASSWORD = graphql(`
  mutation ChangePassword($input: ChangePasswordInput!) {
    changePassword(input: $input) { ended }
  }
`);

export const BEGIN_TOTP = graphql(`
  mutation BeginTotp {
    beginTotp { factor secret uri qrPng }
  }
`);

export const CONFIRM_TOTP = graphql(`
  mutation ConfirmTotp($input: ConfirmTotpInput!) {
    confirmTotp(input: $input) { factor { id } recoveryCodes }
  }
`);

export const BEGIN_PASSKEY = graphql(`
  mutation BeginPasskey {
    beginPasskey { flow options }
  }
`);

export const ADD_PASSKEY = graphql(`
  mutation AddPasskey($input: AddPasskeyInput!) {
    addPasskey(input: $input) { factor { id } recoveryCodes }
  }
`);

export const RENAME_FACTOR = graphql(`
  mutation RenameFactor($input: RenameFactorInput!) {
    renameFactor(input: $input) { factor { id name } }
  }
`);

export const REMOVE_FACTOR = graphql(`
  mutation RemoveFactor($input: RemoveFactorInput!) {
    removeFactor(input: $input) { factor }
  }
`);

export const MAKE_RECOVERY_CODES = graphql(`
  mutation MakeRecoveryCodes {
    makeRecoveryCodes { codes }
  }
`);

export const UNLINK_IDENTITY = graphql(`
  mutation UnlinkIdentity($input: UnlinkIdentityInput!) {
    unlinkIdentity(input: $input) { identity }
  }
`);

export const END_SESSION = graphql(`
  mutation EndSession($input: EndSessionInput!) {
    endSession(input: $input) { session }
  }
`);

export const END_OTHER_SESSIONS = graphql(`
  mutation EndOtherSessions {
    endOtherSessions { ended }
  }
`);

export const RENAME_SESSION = graphql(`
  mutation RenameSession($input: RenameSessionInput!) {
    renameSession(input: $input) { session { id label } }
  }
`);

export const FORGET_DEVICE = graphql(`
  mutation ForgetDevice($input: ForgetDeviceInput!) {
    forgetDevice(input: $input) { device }
  }
`);

export const MY_SECURITY_EVENTS = graphql(
  `
    query MySecurityEvents($first: Int!, $after: String) {
      mySecurityEvents(first: $first, after: $after) { nodes { ...SecurityEventFields } pageInfo { hasNextPage endCursor } }
    }
  `,
  [SECURITY_EVENT],
);

export const MY_DATA = graphql(`
  query MyData {
    myData
  }
`);

export const DEACTIVATE_ME = graphql(`
  mutation DeactivateMe {
    deactivateMe { deletedAfter }
  }
`);

export const DELETE_ME = graphql(`
  mutation DeleteMe($input: DeleteMeInput!) {
    deleteMe(input: $input) { deletedAfter }
  }
`);

export type Security = ResultOf<typeof SECURITY>;
export type Me = NonNullable<Security['me']>;
export type Factors = Security['myFactors'];
export type Factor = Factors['items'][number];
export type Identity = Security['myIdentities'][number];
export type Enrollment = ResultOf<typeof BEGIN_TOTP>['beginTotp'];
export type Device = Security['myDevices'][number];
