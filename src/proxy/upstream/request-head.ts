import type { ForwardOrder } from './upstream.ts';

/**
 * The head of a request as it goes to an agent: latin1, with framing made anew (RFC 9112 section 6.3). The lines have been
 * read by a strict parser and sifted, so none contains CR or LF, and none is about this connection.
 */
export function requestHead(order: ForwardOrder): string {
  const { headers, contentLength } = order;
  let head = `${order.method} ${order.path} HTTP/1.1\r\nHost: ${order.host}\r\n`;
  for (let at = 0; at + 1 < headers.length; at += 2) head += `${headers[at]}: ${headers[at + 1]}\r\n`;
  if (order.upgrade) return `${head}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
  if (contentLength !== null) return `${head}Content-Length: ${contentLength}\r\n\r\n`;
  return order.body === null ? `${head}\r\n` : `${head}Transfer-Encoding: chunked\r\n\r\n`;
}
