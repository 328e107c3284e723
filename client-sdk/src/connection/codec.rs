//! How frames are written and read. A frame that goes out is shared: it is kept until it is answered, and sending must
//! not copy it. The few messages that are worth more than generated code say themselves how they are written or read.

use std::{marker::PhantomData, sync::Arc};

use prost::Message;
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

/// A message that goes out.
pub(crate) trait Outgoing: Send + Sync + 'static {
    fn write(&self, buffer: &mut EncodeBuf<'_>) -> Result<(), Status>;
}

/// A message that comes in.
pub(crate) trait Incoming: Send + Sync + Sized + 'static {
    fn read(buffer: &mut DecodeBuf<'_>) -> Result<Self, Status>;
}

impl<M: Message + 'static> Outgoing for M {
    fn write(&self, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        self.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }
}

impl<M: Message + Default + 'static> Incoming for M {
    fn read(buffer: &mut DecodeBuf<'_>) -> Result<Self, Status> {
        Self::decode(buffer).map_err(|error| Status::internal(error.to_string()))
    }
}

#[derive(Debug)]
pub(crate) struct SharedCodec<Q, R>(PhantomData<(Q, R)>);

impl<Q, R> SharedCodec<Q, R> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<Q: Outgoing, R: Incoming> Codec for SharedCodec<Q, R> {
    type Encode = Arc<Q>;
    type Decode = R;
    type Encoder = Writer<Q>;
    type Decoder = Reader<R>;

    fn encoder(&mut self) -> Self::Encoder {
        Writer(PhantomData)
    }

    fn decoder(&mut self) -> Self::Decoder {
        Reader(PhantomData)
    }
}

#[derive(Debug)]
pub(crate) struct Writer<Q>(PhantomData<Q>);

impl<Q: Outgoing> Encoder for Writer<Q> {
    type Item = Arc<Q>;
    type Error = Status;

    fn encode(&mut self, item: Arc<Q>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.write(buffer)
    }
}

#[derive(Debug)]
pub(crate) struct Reader<R>(PhantomData<R>);

impl<R: Incoming> Decoder for Reader<R> {
    type Item = R;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<R>, Status> {
        R::read(buffer).map(Some)
    }
}
