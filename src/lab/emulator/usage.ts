/** Token counts as the wire names them; int32, so JSON numbers (recordings). */
export function usageMetadata(promptTokens: number, responseTokens: number): object {
  const promptTokenCount = Math.round(promptTokens);
  const responseTokenCount = Math.round(responseTokens);
  return {
    promptTokenCount,
    responseTokenCount,
    totalTokenCount: promptTokenCount + responseTokenCount,
    promptTokensDetails: [{ modality: 'AUDIO', tokenCount: promptTokenCount }],
    responseTokensDetails: [{ modality: 'AUDIO', tokenCount: responseTokenCount }],
  };
}
