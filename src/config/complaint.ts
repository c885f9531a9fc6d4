import { printable } from '../std/printable.ts';

/** One thing that is wrong with a config file. Positions are 1-based, columns count UTF-16 units as editors do. */
export interface Complaint {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** `FILE:LINE:COLUMN: message`, the form that editors and terminals turn into a link. */
export function complaintLine(file: string, complaint: Complaint): string {
  return `${printable(file)}:${complaint.line}:${complaint.column}: ${complaint.message}`;
}

/** In the order of the file, each said once: several checks may meet the same mistake. */
export function tidied(complaints: readonly Complaint[]): Complaint[] {
  const unique = new Map(complaints.map((one) => [`${one.line}:${one.column}:${one.message}`, one]));
  return [...unique.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}
