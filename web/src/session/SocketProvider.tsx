import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from 'react';

import { createSocket, type Socket, type SocketState } from '../api/socket';
import { useSession } from './viewer';

const SocketContext = createContext<Socket | null>(null);

/** Opens the page's one socket and closes it with the session. */
export function SocketProvider({ children }: { children: ReactNode }) {
  const { recheck } = useSession();
  const [socket, setSocket] = useState<Socket | null>(null);
  // Opening is an effect, not a part of rendering: a render may be thrown away.
  useEffect(() => {
    const opened = createSocket(recheck);
    setSocket(opened);
    return () => opened.dispose();
  }, [recheck]);
  return socket && <SocketContext value={socket}>{children}</SocketContext>;
}

/** The page's socket. */
export function useSocket(): Socket {
  const socket = useContext(SocketContext);
  if (!socket) throw new Error('useSocket: there is no socket outside a session');
  return socket;
}

/** How the page's socket is doing. */
export function useSocketState(): SocketState {
  const socket = useSocket();
  return useSyncExternalStore(socket.subscribe, socket.state);
}
