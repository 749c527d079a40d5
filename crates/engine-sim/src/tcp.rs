//! Ports of protocols that are not simulated: a listener in; connections are taken, read and never answered.

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Takes connections for ever. Dropping the future closes them all.
pub(crate) async fn accept(listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((mut socket, _)) => {
                    connections.spawn(async move {
                        let mut heard = [0; 512];
                        while socket.read(&mut heard).await.is_ok_and(|read| read > 0) {}
                    });
                }
                // Out of file descriptors: wait for some to be closed instead of spinning.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            },
        }
    }
}
