/** The audio bench's result as two tables for people. */
import type { AudioBenchChunkRow, AudioBenchResult, AudioBenchRow } from './audio-bench.ts';

const HEAD = [
  [
    'path',
    'converter',
    'SINAD',
    'mu-law',
    'ripple',
    'image/alias',
    'delay',
    'drift',
    'CPU',
    'x own',
    'state',
  ],
  ['kHz', '', 'dB', 'dB', 'dB', 'dB', 'ms', '/10 min', 'us/s', '', 'bytes'],
];

const CHUNK_HEAD = [
  ['path', 'converter', 'chunks', 'CPU', 'x own'],
  ['kHz', '', 'ms', 'us/s', ''],
];

export function formatAudioBench(result: AudioBenchResult): string {
  return [
    ...align([...HEAD, ...result.rows.map(cells)]),
    '',
    ...align([...CHUNK_HEAD, ...result.chunks.map(chunkCells)]),
    ...result.notes,
  ].join('\n');
}

function cells(row: AudioBenchRow): string[] {
  return [
    `${row.inputRate / 1000} to ${row.outputRate / 1000}`,
    row.converter,
    row.sinadDb.toFixed(1),
    row.sinadMuLawDb.toFixed(2),
    row.rippleDb.toFixed(3),
    row.rejectionDb.toFixed(0),
    row.delayMs.toFixed(2),
    String(row.driftSamples),
    row.cpuMicros.toFixed(0),
    row.cpuRatio.toFixed(1),
    row.stateBytes === null ? '?' : String(row.stateBytes),
  ];
}

function chunkCells(row: AudioBenchChunkRow): string[] {
  return [
    `${row.inputRate / 1000} to ${row.outputRate / 1000}`,
    row.converter,
    String(row.chunkMs),
    row.cpuMicros.toFixed(0),
    row.cpuRatio.toFixed(1),
  ];
}

/** Lines of equally wide columns: words to the left, numbers to the right. */
function align(table: readonly (readonly string[])[]): string[] {
  const widths = table[0]!.map((_, column) => Math.max(...table.map((line) => line[column]!.length)));
  return table.map((line) =>
    line.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  );
}
