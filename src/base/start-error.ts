/** Something an operator has to mend before the server can start; the message is the whole sentence they see. */
export class StartError extends Error {
  override readonly name = 'StartError'
}
