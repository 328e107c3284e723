//! Enums whose numbers are on disk.

/// A number that is none of an enum's: from damage, or from a newer version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a known number")]
pub struct UnknownNumber(pub u8);

/// Declares an enum by the numbers its variants have on disk, which never change, and both ways between the two.
macro_rules! numbered {
    ($(#[$about:meta])* pub enum $name:ident { $($(#[$each:meta])* $variant:ident = $number:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$each])* $variant = $number,)+
        }

        impl $name {
            /// The number on disk.
            #[must_use]
            pub const fn number(self) -> u8 {
                self as u8
            }
        }

        impl TryFrom<u8> for $name {
            type Error = $crate::UnknownNumber;

            fn try_from(number: u8) -> Result<Self, Self::Error> {
                match number {
                    $($number => Ok(Self::$variant),)+
                    _ => Err($crate::UnknownNumber(number)),
                }
            }
        }
    };
}

pub(crate) use numbered;
