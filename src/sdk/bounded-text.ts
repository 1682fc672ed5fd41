/** What a server answers, to the last byte. Rejects when there are more of them: nobody's answer may fill the memory. */
export async function boundedText(response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  const reader = response.body?.getReader()
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
    if (done) return Buffer.concat(chunks).toString('utf8')
    length += value.length
    if (length > maxBytes) {
      await reader?.cancel()
      throw new Error(`the answer has more than ${maxBytes} bytes`)
    }
    chunks.push(value)
  }
}
