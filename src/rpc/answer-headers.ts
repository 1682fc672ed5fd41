/** What answers carry beside their message, on every transport. */
export const requestIdHeader = 'tenure-request-id'
/** On mutations: the same token as the field. */
export const revisionHeader = 'tenure-revision'
