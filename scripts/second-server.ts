/** Of the server that `make run-mysql` starts: all it keeps is under one folder. */
export function settingsIn(folder: string) {
  return {
    TENURE_KEYRING: `local:${folder}/keyring`,
    TENURE_ROOT_KEY_FILE: `${folder}/root-api-key`,
    TENURE_AUDIT_CHECKPOINTS: `file:${folder}/audit-checkpoints.jsonl`,
  }
}

/** How a second server is started beside the first: with what two servers must not share said anew. */
export function secondServer(folder: string, databaseUrl: string): string {
  const other = {
    TENURE_DATABASE_URL: `"${databaseUrl}"`,
    ...settingsIn(folder),
    TENURE_AUDIT_CHECKPOINTS: `file:${folder}/audit-checkpoints-2.jsonl`,
    TENURE_GRPC_ADDRESS: '127.0.0.1:7082',
    TENURE_HTTP_ADDRESS: '127.0.0.1:7083',
    TENURE_REPLICA: 'replica-2',
  }
  const lines = Object.entries(other).map(([name, value]) => `  ${name}=${value} \\\n`)
  return `A second server beside this one, from another terminal:\n${lines.join('')}  bin/tenure serve\n`
}
