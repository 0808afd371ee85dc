// Of `ws`, what the tests use: its own types would bring those of Node into the whole console.
declare module 'ws' {
  export class WebSocket extends globalThis.WebSocket {
    on(event: 'message', listener: (data: { toString(): string }) => void): this;
    on(event: 'close', listener: () => void): this;
    terminate(): void;
  }
  export class WebSocketServer {
    constructor(options: { host: string; port: number; handleProtocols: () => string });
    address(): { port: number };
    on(event: 'connection', listener: (socket: WebSocket) => void): this;
    on(event: 'listening', listener: () => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
    close(done: () => void): void;
  }
}
