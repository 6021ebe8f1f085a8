import type { Mark } from './view.ts';

/** A mark as an annotation holds it. */
export const writeMark = ({ of, beside }: Mark): string => `${beside} ${of}`;

/** Somebody who took the label away has proven nothing: such a mark is of no proof, and taken back. */
export function readMark(text: string | undefined): Mark {
  const [beside = '', ...of] = (text ?? '').split(' ');
  return { of: of.join(' '), beside };
}
